// The page of one conference: who comes in, the call, what the node tells, and the way out.

import { Call } from './call.js';
import { Chat } from './chat.js';
import { offerControls, showOwn, watchControls } from './controls.js';
import { openMedia } from './devices.js';
import { complain, givenName, join, watchDoor } from './door.js';
import { watchFigures } from './figures.js';
import { watchKeypad } from './keypad.js';
import { showRoster, showSpeaking } from './roster.js';
import { Session } from './session.js';
import { Sharing } from './sharing.js';
import { showStage } from './stage.js';
import { isShown, watchTabs } from './tabs.js';

const $ = selector => document.querySelector(selector);

const view = {
  door: $('#door'), conference: $('#conference'), name: $('#name'), roster: $('#roster'),
  main: $('#main-video'), slides: $('#slides-video'), self: $('#self-video'),
};

// What the parts of the page look at: we are in one conference at a time, or at its door.
const place = { alias: aliasOfAddress(), session: null, call: null, stream: null };
const sharing = new Sharing(place, say);
let unread = 0;

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
  for (const shown of document.querySelectorAll('.alias')) shown.textContent = place.alias;
  document.title = place.alias;
}

/** Say in the bar how the connection is, or what has failed. */
function say(text) {
  $('#connection').textContent = text;
}

// Coming in

async function enter(how) {
  complain('');
  if (!givenName()) return;
  if (how === 'media' && !place.stream) {
    const opened = await openMedia();
    place.stream = opened.stream;
    if (!place.stream) {
      complain(opened.why);
      return;
    }
  }
  if (how === 'ears') closeMedia();
  const session = await join(place.alias);
  if (!session) return;
  place.session = session;
  await attend();
}

function closeMedia() {
  for (const track of place.stream?.getTracks() ?? []) track.stop();
  place.stream = null;
  view.self.srcObject = null;
}

async function attend() {
  document.body.dataset.state = 'conference';
  view.door.hidden = true;
  view.conference.hidden = false;
  unread = 0;
  chat.clear();
  watchSession(place.session);
  offerControls(place.stream);
  sharing.offer(place.stream !== null);
  showStage(place.session);
  $('#title').textContent = place.session.result.conference_name || place.alias;
  $('#title').focus();
}

function watchSession(here) {
  const on = (name, handle) => here.addEventListener(name, event => { if (here === place.session) handle(event.detail); });
  let due = false;
  on('roster', () => {
    startWhenIn();
    if (due) return; // hundreds may come at once: they are drawn together
    due = true;
    setTimeout(() => {
      due = false;
      if (here !== place.session) return;
      showRoster(view.roster, here);
      showStage(here);
      showOwn(here, place.stream);
    }, 30);
  });
  on('speaking', () => { showSpeaking(view.roster, here); showStage(here); });
  on('presentation', showPresentation);
  on('status', () => { $('#lock').hidden = !here.status.locked; });
  on('message', message => {
    if (message.type.split(';')[0] === 'text/plain') {
      chat.add({ name: message.origin, text: message.payload, direct: message.direct === true });
    }
  });
  on('connection', up => say(up ? '' : 'Reconnecting'));
  on('call_disconnected', ({ call_uuid: uuid }) => { if (uuid === place.call?.uuid) out('The call was ended by the node'); });
  on('closed', out);
  on('transfer', transfer);
}

// The call

/** Call once we are past the waiting room; nothing is sent to nobody. */
async function startWhenIn() {
  if (place.call || place.session.isWaiting) return;
  const made = place.call = new Call(place.session);
  made.addEventListener('main', ({ detail }) => { view.main.srcObject = detail; });
  made.addEventListener('slides', ({ detail }) => { view.slides.srcObject = detail; });
  made.addEventListener('state', () => { if (made === place.call) showConnection(); });
  made.addEventListener('lost', () => { if (made === place.call) out('No path for sound and picture to the node'); });
  try {
    await made.start(place.stream);
  } catch (error) {
    if (made === place.call) out(`No call: ${error.message}`);
    return;
  }
  view.main.play().catch(() => { $('#unblock').hidden = false; });
}

function showConnection() {
  const words = { connecting: 'Connecting', disconnected: 'No sound and picture just now', failed: 'Connecting anew' };
  say(words[place.call.state] ?? '');
}

function showPresentation() {
  const running = place.session.presentation;
  if (running && sharing.isRunning) sharing.stop({ tell: false }); // somebody else has taken the floor
  $('#slides-figure').hidden = !running;
  view.conference.classList.toggle('presenting', Boolean(running));
  $('#presenter').textContent = running?.presenter_name || 'somebody';
  if (running) view.slides.play().catch(() => {});
}

// Going out

function endCall() {
  sharing.stop({ tell: false });
  place.call?.close();
  place.call = null;
  for (const video of [view.main, view.slides, view.self]) video.srcObject = null;
  $('#slides-figure').hidden = true;
  $('#unblock').hidden = true;
  say('');
  view.conference.classList.remove('presenting');
}

function out(reason) {
  for (const sheet of document.querySelectorAll('.sheet')) sheet.hidePopover();
  endCall();
  closeMedia();
  place.session?.leave();
  place.session = null;
  document.body.dataset.state = 'door';
  view.conference.hidden = true;
  view.door.hidden = false;
  complain(reason ?? '');
  view.name.focus();
}

async function transfer({ alias: next, token }) {
  endCall();
  place.alias = next;
  showAlias();
  try {
    place.session = await Session.join(next, { name: view.name.value.trim(), oneTimeToken: token });
  } catch (error) {
    out(error.message);
    return;
  }
  await attend();
}

// What people press

watchControls(place, say);
watchKeypad(
  digits => (place.call?.uuid
    ? place.session.mine(`calls/${place.call.uuid}/dtmf`, { digits }) : Promise.reject(new Error('there is no call'))),
  say,
);
watchFigures(() => place.call);

view.roster.addEventListener('click', event => {
  const whose = event.target.closest('[data-lowers]')?.dataset.lowers;
  if (whose) place.session.theirs(whose, 'clearbuzz').catch(error => say(error.message));
});

$('#leave').addEventListener('click', () => out(''));
$('#unblock').addEventListener('click', () => {
  $('#unblock').hidden = true;
  view.main.play().catch(() => { $('#unblock').hidden = false; });
});

$('#say').addEventListener('submit', async event => {
  event.preventDefault();
  const field = $('#text');
  const text = field.value.trim();
  if (!text) return;
  field.value = '';
  try {
    await place.session.say(text);
    chat.add({ text, own: true });
  } catch (error) {
    field.value = text;
    say(`Not sent: ${error.message}`);
  }
});

view.main.addEventListener('resize', () => { if (place.session) showStage(place.session); });
window.addEventListener('pagehide', () => { place.call?.close(); place.session?.vanish(); });
showAlias();
watchDoor(enter);
