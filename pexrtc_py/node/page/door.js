// The door of a conference: a name, a PIN or an extension where the node wants one, and why one does not get in.

import { Refusal } from './api.js';
import { Session } from './session.js';

const $ = selector => document.querySelector(selector);
const NAME = 'pexrtc.name';
const message = $('#door-message');
const name = $('#name');
const pin = $('#pin');
const extension = $('#extension');

export function complain(text, kind = 'trouble') {
  message.className = kind;
  message.textContent = text;
  message.hidden = !text;
}

/** The name of whoever wants in, kept for the next time; empty when there is none, which is said. */
export function givenName() {
  const given = name.value.trim();
  if (!given) {
    complain('Say the name by which others shall see you.');
    name.focus();
    return '';
  }
  try {
    localStorage.setItem(NAME, given);
  } catch { /* a browser that keeps nothing */ }
  return given;
}

/** Join with what was typed; null when the node wants something else first, which is asked for. */
export async function join(alias) {
  const asked = !$('#pin-field').hidden;
  try {
    return await Session.join(alias, {
      name: name.value.trim(), pin: asked ? pin.value : null, extension: extension.value.trim() || null,
    });
  } catch (error) {
    askFor(error);
    return null;
  }
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
    pin.focus();
  } else if (error.wantsExtension) {
    $('#extension-field').hidden = false;
    complain('This is a reception: say where you want to go.', 'notice');
    extension.focus();
  } else if (error.result === 'Invalid PIN') {
    complain('That is not a PIN of this conference.');
    pin.select();
  } else if (error.status === 404) {
    complain('There is no such conference on this node.');
  } else {
    complain(error.message);
  }
}

function offerMedia() {
  const can = Boolean(navigator.mediaDevices);
  $('#insecure').hidden = can;
  $('#join button[value="media"]').disabled = !can;
}

/** Make the door ready; `enter` is told "media" or "ears", and the door is shut while it is at it. */
export function watchDoor(enter) {
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
  try {
    name.value = localStorage.getItem(NAME) ?? '';
  } catch { /* a browser that keeps nothing */ }
  offerMedia();
  name.focus();
}
