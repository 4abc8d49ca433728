// One participant in one conference: token and its renewal, the event stream and its return, who is there, who speaks.
// It dispatches: roster, speaking, presentation, status, message, connection, closed, transfer, call_disconnected.

import { NodeApi } from './api.js';

const RETRY_MS = [200, 500, 1000, 2000, 4000, 8000];
const EVENTS = [
  'participant_sync_begin', 'participant_create', 'participant_update', 'participant_delete', 'participant_sync_end',
  'conference_update', 'stage', 'presentation_start', 'presentation_stop', 'message_received', 'call_disconnected',
  'disconnect', 'refer', 'refresh_token',
];

export class Session extends EventTarget {
  #api;
  #source = null;
  #retries = 0;
  #renewal = 0;
  #reopening = 0;
  #untold = null;
  #closed = false;

  /** Join; a Refusal says what the node wants first. */
  static async join(alias, { name, pin = null, extension = null, oneTimeToken = null }) {
    const api = new NodeApi(alias);
    const body = { display_name: name, supports_direct_chat: true, direct_media: false, node: location.host };
    if (extension) body.conference_extension = extension;
    if (oneTimeToken) body.token = oneTimeToken;
    const result = await api.ask('request_token', body, pin === null ? {} : { pin: pin || 'none' });
    return new Session(api, result);
  }

  constructor(api, result) {
    super();
    this.#api = api;
    this.participants = new Map();
    this.speaking = [];
    this.presentation = null;
    this.status = {};
    this.me = result.participant_uuid;
    this.result = result;
    this.#take(result);
    this.#open();
  }

  get api() {
    return this.#api;
  }

  get myself() {
    return this.participants.get(this.me);
  }

  get isWaiting() {
    const place = this.myself?.service_type ?? this.result.current_service_type;
    return place === 'waiting_room' || place === 'ivr' || place === 'connecting';
  }

  get iceServers() {
    const stun = (this.result.stun ?? []).map(({ url }) => ({ urls: url }));
    const turn = (this.result.turn ?? []).map(({ urls, username, credential }) => ({ urls, username, credential }));
    return [...stun, ...turn];
  }

  /** An operation on ourselves. */
  mine(path, body = null) {
    return this.#api.ask(`participants/${this.me}/${path}`, body);
  }

  /** An operation on somebody else, for Hosts. */
  theirs(uuid, path, body = null) {
    return this.#api.ask(`participants/${encodeURIComponent(uuid)}/${path}`, body);
  }

  say(payload) {
    return this.#api.ask('message', { type: 'text/plain', payload });
  }

  /** Leave by our own will. */
  async leave() {
    const api = this.#end();
    if (api) await api.ask('release_token', { reason: 'User initiated disconnect' }).catch(() => {});
  }

  /** Leave because the page goes. */
  vanish() {
    this.#end()?.farewell();
  }

  #end() {
    if (this.#closed) return null;
    this.#closed = true;
    clearTimeout(this.#renewal);
    clearTimeout(this.#reopening);
    this.#source?.close();
    return this.#api;
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #close(reason) {
    const api = this.#end();
    if (!api) return;
    api.ask('release_token', {}).catch(() => {});
    this.#tell('closed', reason);
  }

  #take({ token, expires }) {
    this.#api.token = token;
    clearTimeout(this.#renewal);
    // A third of its life, as Pexip's own clients do: two more tries fit before the end.
    this.#renewal = setTimeout(() => this.#renew(), (Number(expires) || 120) * 1000 / 3);
  }

  async #renew() {
    try {
      this.#take(await this.#api.ask('refresh_token'));
    } catch (error) {
      if (this.#closed) return;
      if (error.status === 403 || error.status === 401) this.#close('The node no longer knows us');
      else this.#renewal = setTimeout(() => this.#renew(), 3000);
    }
  }

  // The event stream. A browser would come back with the token of old; so we come back ourselves, with that of now.

  #open() {
    const source = this.#source = new EventSource(this.#api.eventsAddress());
    source.onopen = () => {
      this.#retries = 0;
      this.#tell('connection', true);
    };
    source.onerror = () => {
      source.close();
      if (this.#closed) return;
      this.#tell('connection', false);
      if (this.#retries >= 12) {
        this.#close('The connection to the node was lost');
        return;
      }
      this.#reopening = setTimeout(() => this.#open(), RETRY_MS[Math.min(this.#retries++, RETRY_MS.length - 1)]);
    };
    for (const name of EVENTS) {
      source.addEventListener(name, event => {
        let data = null;
        try {
          data = JSON.parse(event.data);
        } catch {
          return;
        }
        if (!this.#closed) this.#handle(name, data);
      });
    }
  }

  #handle(name, data) {
    switch (name) {
      case 'participant_sync_begin':
        this.#untold = new Set(this.participants.keys());
        break;
      case 'participant_create':
      case 'participant_update':
        this.#untold?.delete(data.uuid);
        this.participants.set(data.uuid, data);
        if (this.#untold === null) this.#tell('roster');
        break;
      case 'participant_delete':
        this.participants.delete(data.uuid);
        this.#tell('roster');
        break;
      case 'participant_sync_end':
        for (const gone of this.#untold ?? []) this.participants.delete(gone);
        this.#untold = null;
        this.presentation = null; // told anew after this when there is one
        this.#tell('roster');
        this.#tell('presentation');
        break;
      case 'conference_update':
        this.status = data;
        this.#tell('status');
        break;
      case 'stage':
        this.speaking = data.filter(place => place.vad > 0).map(place => place.participant_uuid);
        this.#tell('speaking');
        break;
      case 'presentation_start':
        this.presentation = data.presenter_uuid && data.presenter_uuid !== this.me ? data : null;
        this.#tell('presentation');
        break;
      case 'presentation_stop':
        this.presentation = null;
        this.#tell('presentation');
        break;
      case 'message_received':
        this.#tell('message', data);
        break;
      case 'call_disconnected':
        this.#tell('call_disconnected', data);
        break;
      case 'disconnect':
        this.#close(data?.reason || 'Disconnected');
        break;
      case 'refer':
        if (this.#end()) {
          this.#api.ask('release_token', {}).catch(() => {});
          this.#tell('transfer', data);
        }
        break;
      case 'refresh_token':
        this.#renew();
        break;
    }
  }
}
