// Our screen as a presentation: taking the floor for it, and giving it back.

import { press } from './controls.js';

const button = document.querySelector('#share');

/** A screen that is shared, or none; `place` has the session and the call of the moment. */
export class Sharing {
  #place;
  #complain;
  #stream = null;

  constructor(place, complain) {
    this.#place = place;
    this.#complain = complain;
    button.addEventListener('click', () => this.#toggle());
  }

  get isRunning() {
    return this.#stream !== null;
  }

  /** Whether there is a button for it. */
  offer(isOffered) {
    button.hidden = !isOffered || !navigator.mediaDevices?.getDisplayMedia;
  }

  /** Stop; the floor is given back, unless somebody else has it. */
  stop({ tell }) {
    if (!this.#stream) return;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = null;
    press(button, false);
    this.#place.call?.present(null).catch(() => {});
    if (tell) this.#place.session?.mine('release_floor', {}).catch(() => {});
  }

  async #toggle() {
    if (this.#stream) {
      this.stop({ tell: true });
      return;
    }
    try {
      this.#stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } });
    } catch {
      return; // the user thought better of it
    }
    const [track] = this.#stream.getVideoTracks();
    track.contentHint = 'detail';
    track.onended = () => this.stop({ tell: true });
    try {
      await this.#place.session.mine('take_floor', {});
      await this.#place.call.present(track);
      press(button, true);
    } catch (error) {
      this.stop({ tell: false });
      this.#complain(error.message);
    }
  }
}
