// The buttons of our own sound and picture and of our hand: what they do, and how they stand.

const $ = selector => document.querySelector(selector);
const mic = $('#mic');
const camera = $('#camera');
const hand = $('#hand');
const self = $('#self-video');

export function press(button, is) {
  button.ariaPressed = String(is);
}

/** How they stand as we come in. */
export function offerControls(stream) {
  self.srcObject = stream;
  self.hidden = !stream?.getVideoTracks().length;
  for (const button of [mic, camera]) button.hidden = !stream;
  mic.disabled = !stream?.getAudioTracks().length;
  camera.disabled = !stream?.getVideoTracks().length;
  press(mic, stream !== null);
  press(camera, stream !== null);
}

/** How they stand by what the node says of us. */
export function showOwn(session, stream) {
  const me = session.myself;
  if (!me) return;
  const byHost = me.is_muted === 'YES';
  mic.dataset.muted = String(byHost);
  mic.querySelector('span').textContent = byHost ? 'Muted' : 'Mic';
  mic.ariaLabel = byHost ? 'Muted by a Host' : 'Microphone';
  const [track] = stream?.getAudioTracks() ?? [];
  if (track) press(mic, !byHost && track.enabled);
  press(hand, me.buzz_time > 0);
}

/** Do what they say; `place` has the session and the stream of the moment, `complain` is told what failed. */
export function watchControls(place, complain) {
  mic.addEventListener('click', async () => {
    const [track] = place.stream?.getAudioTracks() ?? [];
    if (!track) return;
    if (mic.dataset.muted === 'true') {
      await place.session.mine('unmute').catch(error => complain(error.message));
      return;
    }
    track.enabled = !track.enabled;
    press(mic, track.enabled);
    place.session.mine(track.enabled ? 'client_unmute' : 'client_mute').catch(() => {});
  });

  camera.addEventListener('click', () => {
    const [track] = place.stream?.getVideoTracks() ?? [];
    if (!track) return;
    track.enabled = !track.enabled;
    self.hidden = !track.enabled;
    press(camera, track.enabled);
    place.session.mine(track.enabled ? 'video_unmuted' : 'video_muted').catch(() => {});
  });

  hand.addEventListener('click', () => {
    const up = hand.ariaPressed === 'true';
    place.session.mine(up ? 'clearbuzz' : 'buzz').catch(error => complain(error.message));
  });
}
