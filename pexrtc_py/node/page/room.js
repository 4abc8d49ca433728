// The page of one conference: the door, the pictures, the people, the chat, the controls.

import { Refusal } from './api.js';
import { Call } from './call.js';
import { Chat } from './chat.js';
import { openMedia } from './devices.js';
import { watchFigures } from './figures.js';
import { watchKeypad } from './keypad.js';
import { initialsOf, isBot, records, showRoster, showSpeaking, toneOf } from './roster.js';
import { Session } from './session.js';
import { isShown, watchTabs } from './tabs.js';

const $ = selector => document.querySelector(selector);
const NAME = 'pexrtc.name';

const view = {
  door: $('#door'), conference: $('#conference'), message: $('#door-message'),
  name: $('#name'), pin: $('#pin'), extension: $('#extension'), roster: $('#roster'),
  main: $('#main-video'), slides: $('#slides-video'), self: $('#self-video'),
  mic: $('#mic'), camera: $('#camera'), share: $('#share'), hand: $('#hand'),
};

let alias = aliasOfAddress();
let session = null;
let call = null;
let stream = null;
let shared = null;
let unread = 0;
let wanted = null; // "media" or "ears": how we came in, for a transfer

const chat = new Chat(() => {
  if (isShown('chat')) return;
  unread += 1;
  $('#unread').textContent = String(unread);
  $('#unread').hidden = false;
});

watchTabs(() => {
  if (!isShown('chat')) return;
  unread = 0;
  $('#unread').hidden = true;
});

function aliasOfAddress() {
  const [, after] = location.pathname.split('/m/');
  return decodeURIComponent((after ?? '').split('/')[0]);
}

function showAlias() {
  for (const place of document.querySelectorAll('.alias')) place.textContent = alias;
  document.title = alias;
}

// The door

function complain(text, kind = 'trouble') {
  view.message.className = kind;
  view.message.textContent = text;
  view.message.hidden = !text;
}

async function enter(how) {
  complain('');
  const name = view.name.value.trim();
  if (!name) {
    complain('Say the name by which others shall see you.');
    view.name.focus();
    return;
  }
  try {
    localStorage.setItem(NAME, name);
  } catch { /* a browser that keeps nothing */ }
  if (how === 'media' && !stream) {
    const opened = await openMedia();
    stream = opened.stream;
    if (!stream) {
      complain(opened.why);
      return;
    }
  }
  if (how === 'ears') closeMedia();
  try {
    const asked = !$('#pin-field').hidden;
    session = await Session.join(alias, {
      name, pin: asked ? view.pin.value : null, extension: view.extension.value.trim() || null,
    });
  } catch (error) {
    askFor(error);
    return;
  }
  wanted = how;
  await attend();
}

function askFor(error) {
  if (!(error instanceof Refusal)) throw error;
  if (error.wantsPin) {
    const again = !$('#pin-field').hidden;
    $('#pin-field').hidden = false;
    $('#pin-hint').textContent = error.guestNeedsPin
      ? 'Hosts and Guests have different ones.' : 'Hosts have one. Leave it empty to come in as a Guest.';
    if (again) complain('That is not a PIN of this conference.');
    else complain('This conference has a PIN.', 'notice');
    view.pin.focus();
  } else if (error.wantsExtension) {
    $('#extension-field').hidden = false;
    complain('This is a reception: say where you want to go.', 'notice');
    view.extension.focus();
  } else if (error.result === 'Invalid PIN') {
    complain('That is not a PIN of this conference.');
    view.pin.select();
  } else if (error.status === 404) {
    complain('There is no such conference on this node.');
  } else {
    complain(error.message);
  }
}

function closeMedia() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  view.self.srcObject = null;
}

// In the conference

async function attend() {
  document.body.dataset.state = 'conference';
  view.door.hidden = true;
  view.conference.hidden = false;
  unread = 0;
  chat.clear();
  const here = session;
  const on = (name, handle) => here.addEventListener(name, event => { if (here === session) handle(event.detail); });
  let due = false;
  on('roster', () => {
    startWhenIn();
    if (due) return; // hundreds may come at once: they are drawn together
    due = true;
    setTimeout(() => {
      due = false;
      if (here !== session) return;
      showRoster(view.roster, here);
      showAbout();
      showOwn();
    }, 30);
  });
  on('speaking', () => { showSpeaking(view.roster, here); showAbout(); });
  on('presentation', showPresentation);
  on('status', () => { $('#lock').hidden = !here.status.locked; });
  on('message', message => {
    if (message.type.split(';')[0] === 'text/plain') {
      chat.add({ name: message.origin, text: message.payload, direct: message.direct === true });
    }
  });
  on('connection', up => { $('#connection').textContent = up ? '' : 'Reconnecting'; });
  on('call_disconnected', ({ call_uuid: uuid }) => { if (uuid === call?.uuid) out('The call was ended by the node'); });
  on('closed', out);
  on('transfer', transfer);
  view.self.srcObject = stream;
  view.self.hidden = !stream?.getVideoTracks().length;
  for (const button of [view.mic, view.camera, view.share]) button.hidden = !stream;
  view.mic.disabled = !stream?.getAudioTracks().length;
  view.camera.disabled = !stream?.getVideoTracks().length;
  view.share.hidden ||= !navigator.mediaDevices?.getDisplayMedia;
  press(view.mic, stream !== null);
  press(view.camera, stream !== null);
  showAbout();
  $('#title').textContent = here.result.conference_name || alias;
  $('#title').focus();
}

/** Call once we are past the waiting room; nothing is sent to nobody. */
async function startWhenIn() {
  if (call || session.isWaiting) return;
  const made = call = new Call(session);
  made.addEventListener('main', ({ detail }) => { view.main.srcObject = detail; });
  made.addEventListener('slides', ({ detail }) => { view.slides.srcObject = detail; });
  made.addEventListener('state', () => { if (made === call) showConnection(); });
  made.addEventListener('lost', () => { if (made === call) out('No path for sound and picture to the node'); });
  try {
    await made.start(stream);
  } catch (error) {
    if (made === call) out(`No call: ${error.message}`);
    return;
  }
  view.main.play().catch(() => { $('#unblock').hidden = false; });
}

function showConnection() {
  const words = { connecting: 'Connecting', disconnected: 'No sound and picture just now', failed: 'Connecting anew' };
  $('#connection').textContent = words[call.state] ?? '';
}

function showAbout() {
  const people = [...session.participants.values()];
  for (const place of document.querySelectorAll('.count')) place.textContent = String(people.length || '');
  const recorders = people.filter(records).map(person => person.display_name);
  $('#recording').hidden = recorders.length === 0;
  $('#recording').textContent = recorders.length ? `Recorded by ${recorders.join(', ')}` : '';

  const speaker = session.speaking.map(uuid => session.participants.get(uuid)).find(person => person);
  $('#main-caption').hidden = !speaker;
  $('#speaker').textContent = speaker?.display_name ?? '';
  const others = people.filter(person => person.uuid !== session.me);
  const seen = others.some(person => person.has_media && person.is_video_call === 'YES' && person.is_video_muted !== true);
  const shows = (seen || isTestCall()) && view.main.videoWidth > 0;
  view.main.dataset.shows = String(shows);
  $('#main-empty').hidden = shows;
  const named = speaker ?? others.find(person => !isBot(person)) ?? others[0];
  $('#main-initials').hidden = !named;
  $('#main-initials').textContent = named ? initialsOf(named.display_name) : '';
  $('#main-initials').dataset.tone = named ? toneOf(named.display_name) : '';
  $('#main-note').textContent = noteOfStage(others, seen);
}

function isTestCall() {
  return session.result.service_type === 'test_call';
}

function noteOfStage(others, seen) {
  if (session.isWaiting) return 'You are in the waiting room. You come in when a Host lets you, or is there.';
  if (isTestCall()) return 'A test call: what you say and show comes back.';
  if (!others.length) return 'Nobody else is here yet.';
  return seen ? 'The picture is coming.' : 'Nobody sends a picture.';
}

function showOwn() {
  const me = session.myself;
  if (!me) return;
  const byHost = me.is_muted === 'YES';
  view.mic.dataset.muted = String(byHost);
  view.mic.querySelector('span').textContent = byHost ? 'Muted' : 'Mic';
  view.mic.ariaLabel = byHost ? 'Muted by a Host' : 'Microphone';
  if (stream?.getAudioTracks().length) press(view.mic, !byHost && stream.getAudioTracks()[0].enabled);
  press(view.hand, me.buzz_time > 0);
}

function showPresentation() {
  const running = session.presentation;
  if (running && shared) stopSharing({ tell: false }); // somebody else has taken the floor
  $('#slides-figure').hidden = !running;
  view.conference.classList.toggle('presenting', Boolean(running));
  $('#presenter').textContent = running?.presenter_name || 'somebody';
  if (running) view.slides.play().catch(() => {});
}

function endCall() {
  stopSharing({ tell: false });
  call?.close();
  call = null;
  for (const video of [view.main, view.slides, view.self]) video.srcObject = null;
  $('#slides-figure').hidden = true;
  $('#unblock').hidden = true;
  $('#connection').textContent = '';
  view.conference.classList.remove('presenting');
}

function out(reason) {
  for (const sheet of document.querySelectorAll('.sheet')) sheet.hidePopover();
  endCall();
  closeMedia();
  session?.leave();
  session = null;
  document.body.dataset.state = 'door';
  view.conference.hidden = true;
  view.door.hidden = false;
  complain(reason ?? '');
  view.name.focus();
}

async function transfer({ alias: next, token }) {
  endCall();
  alias = next;
  showAlias();
  try {
    session = await Session.join(alias, { name: view.name.value.trim(), oneTimeToken: token });
  } catch (error) {
    out(error.message);
    return;
  }
  await attend();
}

// Controls

function press(button, is) {
  button.ariaPressed = String(is);
}

view.mic.addEventListener('click', async () => {
  const [track] = stream?.getAudioTracks() ?? [];
  if (!track) return;
  if (view.mic.dataset.muted === 'true') {
    await session.mine('unmute').catch(error => { $('#connection').textContent = error.message; });
    return;
  }
  track.enabled = !track.enabled;
  press(view.mic, track.enabled);
  session.mine(track.enabled ? 'client_unmute' : 'client_mute').catch(() => {});
});

view.camera.addEventListener('click', () => {
  const [track] = stream?.getVideoTracks() ?? [];
  if (!track) return;
  track.enabled = !track.enabled;
  view.self.hidden = !track.enabled;
  press(view.camera, track.enabled);
  session.mine(track.enabled ? 'video_unmuted' : 'video_muted').catch(() => {});
});

view.hand.addEventListener('click', () => {
  const up = view.hand.ariaPressed === 'true';
  session.mine(up ? 'clearbuzz' : 'buzz').catch(error => { $('#connection').textContent = error.message; });
});

view.roster.addEventListener('click', event => {
  const whose = event.target.closest('[data-lowers]')?.dataset.lowers;
  if (whose) session.theirs(whose, 'clearbuzz').catch(error => { $('#connection').textContent = error.message; });
});

view.share.addEventListener('click', async () => {
  if (shared) {
    stopSharing({ tell: true });
    return;
  }
  try {
    shared = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } });
  } catch {
    return; // the user thought better of it
  }
  const [track] = shared.getVideoTracks();
  track.contentHint = 'detail';
  track.onended = () => stopSharing({ tell: true });
  try {
    await session.mine('take_floor', {});
    await call.present(track);
    press(view.share, true);
  } catch (error) {
    stopSharing({ tell: false });
    $('#connection').textContent = error.message;
  }
});

function stopSharing({ tell }) {
  if (!shared) return;
  for (const track of shared.getTracks()) track.stop();
  shared = null;
  press(view.share, false);
  call?.present(null).catch(() => {});
  if (tell) session?.mine('release_floor', {}).catch(() => {});
}

watchKeypad(
  digits => (call?.uuid ? session.mine(`calls/${call.uuid}/dtmf`, { digits }) : Promise.reject(new Error('there is no call'))),
  text => { $('#connection').textContent = text; },
);
watchFigures(() => call);

$('#leave').addEventListener('click', () => out(''));
$('#unblock').addEventListener('click', () => {
  $('#unblock').hidden = true;
  view.main.play().catch(() => { $('#unblock').hidden = false; });
});

$('#join').addEventListener('submit', async event => {
  event.preventDefault();
  const buttons = [...event.target.querySelectorAll('button')];
  for (const button of buttons) button.disabled = true;
  try {
    await enter(event.submitter?.value ?? 'media');
  } finally {
    for (const button of buttons) button.disabled = false;
    offerMedia();
  }
});

$('#say').addEventListener('submit', async event => {
  event.preventDefault();
  const field = $('#text');
  const text = field.value.trim();
  if (!text) return;
  field.value = '';
  try {
    await session.say(text);
    chat.add({ text, own: true });
  } catch (error) {
    field.value = text;
    $('#connection').textContent = `Not sent: ${error.message}`;
  }
});

// Begin

function offerMedia() {
  const can = Boolean(navigator.mediaDevices);
  $('#insecure').hidden = can;
  $('#join button[value="media"]').disabled = !can;
}

view.main.addEventListener('resize', () => { if (session) showAbout(); });
window.addEventListener('pagehide', () => { call?.close(); session?.vanish(); });
try {
  view.name.value = localStorage.getItem(NAME) ?? '';
} catch { /* a browser that keeps nothing */ }
showAlias();
offerMedia();
view.name.focus();

