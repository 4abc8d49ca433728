// Requests about one conference at the node that served this page: the Client REST API v2.
// The token travels as a header; only an event stream and a farewell, which can have none, carry it in their address.

export class Refusal extends Error {
  constructor(status, result) {
    super(typeof result === 'string' ? result : 'The node asks for more');
    this.status = status;
    this.result = result;
  }

  get wantsPin() {
    return this.result?.pin !== undefined || this.result?.guest_pin !== undefined;
  }

  get guestNeedsPin() {
    return this.result?.guest_pin === 'required';
  }

  get wantsExtension() {
    return this.result?.conference_extension !== undefined || this.result?.conference_extension_type !== undefined;
  }
}

export class NodeApi {
  constructor(alias) {
    this.alias = alias;
    this.token = '';
    this.root = `/api/client/v2/conferences/${encodeURIComponent(alias)}/`;
  }

  /** Ask for an operation; its result, or a Refusal. */
  async ask(path, body = null, headers = {}) {
    const all = { ...headers };
    if (body !== null) all['Content-Type'] = 'application/json';
    if (this.token) all.token = this.token;
    let response;
    try {
      response = await fetch(this.root + path, {
        method: 'POST', headers: all, body: body === null ? undefined : JSON.stringify(body), cache: 'no-store',
      });
    } catch {
      throw new Refusal(0, 'The node cannot be reached');
    }
    const reply = await response.json().catch(() => ({ status: 'failed', result: `The node answered ${response.status}` }));
    if (!response.ok) throw new Refusal(response.status, reply.result);
    return reply.result;
  }

  eventsAddress() {
    return `${this.root}events?token=${encodeURIComponent(this.token)}`;
  }

  /** Give the token back while the page goes away. */
  farewell() {
    if (!this.token) return;
    const reason = new Blob([JSON.stringify({ reason: 'User closed the page' })], { type: 'application/json' });
    navigator.sendBeacon(`${this.root}release_token?token=${encodeURIComponent(this.token)}`, reason);
    this.token = '';
  }
}
