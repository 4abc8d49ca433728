// The list of people: who is there, who speaks, who records. Names are text, never markup.

const BOT = 'pexrtc-bot';

export const isBot = person => (person.call_tag ?? '').startsWith(BOT);

/** Whether a participant keeps what is said: what the node says of it, or how our own recorders mark themselves. */
export const records = person =>
  person.is_recording === true || person.is_streaming_conference === true || person.call_tag === `${BOT}:record`;

export function initialsOf(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map(word => [...word][0]).join('').toUpperCase() || '?';
}

/** A hue for a name, the same on every page: one of the six of the style sheet. */
export function toneOf(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return String(sum % 6);
}

/** What is said of a person: words, how they look, and whose hand a Host lowers by them. */
function marks(person, { isMe, hasGuests, lowers }) {
  const words = [];
  if (isMe) words.push(['You', '']);
  if (records(person)) words.push([person.is_streaming_conference === true ? 'Streams' : 'Records', 'recording']);
  if (isBot(person)) words.push(['Bot', 'bot']);
  if (hasGuests) words.push([person.role === 'chair' ? 'Host' : 'Guest', '']);
  if (['waiting_room', 'ivr', 'connecting'].includes(person.service_type)) words.push(['Waiting', '']);
  if (person.is_presenting === 'YES') words.push(['Presents', 'busy']);
  if (person.buzz_time > 0) words.push(['Hand up', 'busy', lowers && !isMe ? person.uuid : null]);
  if (person.is_muted === 'YES') words.push(['Muted', '']);
  else if (person.is_client_muted === true) words.push(['Microphone off', '']);
  return words;
}

function mark(text, kind, lowers, name) {
  const tag = document.createElement(lowers ? 'button' : 'span');
  tag.className = `tag ${kind}`;
  tag.textContent = text;
  if (lowers) {
    tag.type = 'button';
    tag.dataset.lowers = lowers;
    tag.title = tag.ariaLabel = `${text}: lower it for ${name}`;
  }
  return tag;
}

function entry(person, { isMe, speaks, hasGuests, lowers }) {
  const item = document.createElement('li');
  item.dataset.uuid = person.uuid;
  item.dataset.speaking = String(speaks);

  const face = document.createElement('span');
  face.className = 'initials';
  face.dataset.tone = toneOf(person.display_name);
  face.ariaHidden = 'true';
  face.textContent = initialsOf(person.display_name);

  const name = document.createElement('bdi');
  name.className = 'name';
  name.textContent = person.display_name || 'Without a name';

  const about = document.createElement('span');
  about.className = 'about';
  for (const [text, kind, whose] of marks(person, { isMe, hasGuests, lowers })) {
    about.append(mark(text, kind, whose, name.textContent));
  }
  const words = document.createElement('span');
  words.className = 'words';
  words.append(name, about);

  const bars = document.createElement('span');
  bars.className = 'bars';
  bars.append(...['i', 'i', 'i'].map(bar => document.createElement(bar)));
  const spoken = document.createElement('span');
  spoken.className = 'hidden';
  spoken.textContent = speaks ? 'speaks' : '';
  bars.append(spoken);

  item.append(face, words, bars);
  return item;
}

/** Show everybody: ourselves first, people before bots, by name. */
export function showRoster(list, session) {
  const rank = person => (person.uuid === session.me ? 0 : isBot(person) ? 2 : 1);
  const people = [...session.participants.values()].sort(
    (a, b) => rank(a) - rank(b) || a.display_name.localeCompare(b.display_name),
  );
  const hasGuests = people.some(person => person.role !== 'chair'); // where all are Hosts nobody wants to read it
  const lowers = session.myself?.role === 'chair';
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.lowers : undefined;
  list.replaceChildren(...people.map(person => entry(person, {
    isMe: person.uuid === session.me, hasGuests, lowers, speaks: session.speaking.includes(person.uuid),
  })));
  // Who came here by keyboard stays: at the same hand, or in the list when it is down.
  if (focused) (list.querySelector(`[data-lowers="${CSS.escape(focused)}"]`) ?? list).focus();
}

/** Show who speaks, and change nothing else: this comes several times a second. */
export function showSpeaking(list, session) {
  for (const item of list.children) {
    const speaks = session.speaking.includes(item.dataset.uuid);
    if (item.dataset.speaking === String(speaks)) continue;
    item.dataset.speaking = String(speaks);
    item.querySelector('.bars .hidden').textContent = speaks ? 'speaks' : '';
  }
}
