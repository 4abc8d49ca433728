// The list of conferences. Whatever came from elsewhere is put into the page as text.

const list = document.querySelector('#rooms');
const KINDS = { lecture: 'Lecture', test_call: 'Test call', two_stage_dialing: 'Virtual Reception' };
const EVERY_MS = 4000;

document.querySelector('#host').textContent = location.host;
for (const place of document.querySelectorAll('.node-url')) place.textContent = location.origin;

const addressOf = alias => `/webapp/m/${encodeURIComponent(alias)}`;

function tag(text, kind = '') {
  const element = document.createElement('span');
  element.className = `tag ${kind}`;
  element.textContent = text;
  return element;
}

function entry(room) {
  const link = document.createElement('a');
  link.href = addressOf(room.alias);
  const title = document.createElement('bdi');
  title.className = 'title';
  title.textContent = room.title;
  link.append(title);
  if (room.title !== room.alias) {
    const alias = document.createElement('bdi');
    alias.className = 'quiet';
    alias.textContent = room.alias;
    link.append(alias);
  }
  const about = document.createElement('span');
  about.className = 'about';
  if (KINDS[room.kind]) about.append(tag(KINDS[room.kind]));
  if (room.recorded) about.append(tag('Recorded', 'recording'));
  if (room.pin) about.append(tag('PIN'));
  if (room.people) about.append(tag(`${room.people} ${room.people === 1 ? 'participant' : 'participants'}`, 'busy'));
  else if (!KINDS[room.kind]) about.append(tag('Empty'));
  link.append(about);
  const item = document.createElement('li');
  item.append(link);
  return item;
}

let shown = '';
async function show() {
  const trouble = document.querySelector('#trouble');
  try {
    const response = await fetch('/page/rooms.json', { cache: 'no-store' });
    if (!response.ok) throw new Error(String(response.status));
    const text = await response.text();
    trouble.hidden = true;
    if (text === shown) return; // what has the focus keeps it
    shown = text;
    const { rooms, open } = JSON.parse(text);
    const focused = document.activeElement?.getAttribute?.('href');
    list.replaceChildren(...rooms.map(entry));
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    document.querySelector('#none').hidden = rooms.length > 0;
    document.querySelector('#open').hidden = !open;
  } catch {
    trouble.hidden = false;
  }
}

document.querySelector('#open').addEventListener('submit', event => {
  event.preventDefault();
  const alias = event.target.elements.alias.value.trim();
  if (alias) location.href = addressOf(alias);
});

await show();
setInterval(() => { if (!document.hidden) show(); }, EVERY_MS);
document.addEventListener('visibilitychange', () => { if (!document.hidden) show(); });
