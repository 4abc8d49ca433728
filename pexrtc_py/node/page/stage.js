// What the main picture shows, or says instead: who speaks, who records, and why there is nothing to see.

import { initialsOf, isBot, records, toneOf } from './roster.js';

const $ = selector => document.querySelector(selector);
const picture = $('#main-video');

export function showStage(session) {
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
  const shows = (seen || isTestCall(session)) && picture.videoWidth > 0;
  picture.dataset.shows = String(shows);
  $('#main-empty').hidden = shows;
  const named = speaker ?? others.find(person => !isBot(person)) ?? others[0];
  $('#main-initials').hidden = !named;
  $('#main-initials').textContent = named ? initialsOf(named.display_name) : '';
  $('#main-initials').dataset.tone = named ? toneOf(named.display_name) : '';
  $('#main-note').textContent = noteOf(session, others, seen);
}

function isTestCall(session) {
  return session.result.service_type === 'test_call';
}

function noteOf(session, others, seen) {
  if (session.isWaiting) return 'You are in the waiting room. You come in when a Host lets you, or is there.';
  if (isTestCall(session)) return 'A test call: what you say and show comes back.';
  if (!others.length) return 'Nobody else is here yet.';
  return seen ? 'The picture is coming.' : 'Nobody sends a picture.';
}
