// Sound and pictures of one participant: one peer connection with audio, main video and slides, never more.
// The slides line is there from the start, both ways where we have media: presenting is take_floor and a track on it.
// It dispatches: main, slides (streams), state (of the connection), lost.

export class Call extends EventTarget {
  #session;
  #peer;
  #uuid = null;
  #early = [];
  #senders = {};
  #restarted = false;
  #closed = false;

  constructor(session) {
    super();
    this.#session = session;
    const policy = session.result.use_relay_candidates_only ? 'relay' : 'all';
    this.#peer = new RTCPeerConnection({
      iceServers: session.iceServers, iceTransportPolicy: policy, bundlePolicy: 'max-bundle',
    });
    this.#peer.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.#peer.onconnectionstatechange = () => this.#follow();
  }

  get uuid() {
    return this.#uuid;
  }

  get state() {
    return this.#peer.connectionState;
  }

  /** Figures of the browser, for tests and the curious. */
  statistics() {
    return this.#peer.getStats();
  }

  /** Call the node. Without a stream we only watch and listen. */
  async start(stream) {
    const main = new MediaStream();
    const slides = new MediaStream();
    const add = (kind, track, remote) => {
      const direction = stream ? 'sendrecv' : 'recvonly';
      const transceiver = this.#peer.addTransceiver(track ?? kind, { direction, streams: stream && track ? [stream] : [] });
      remote.addTrack(transceiver.receiver.track);
      return transceiver.sender;
    };
    this.#senders.audio = add('audio', stream?.getAudioTracks()[0], main);
    this.#senders.video = add('video', stream?.getVideoTracks()[0], main);
    this.#senders.slides = add('video', null, slides);
    this.#tell('main', main);
    this.#tell('slides', slides);
    await this.#negotiate(await this.#peer.createOffer());
  }

  /** Send this track as presentation; null ends it. */
  present(track) {
    return this.#senders.slides.replaceTrack(track);
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#peer.close();
  }

  async #negotiate(offer) {
    await this.#peer.setLocalDescription(offer);
    const { sdp } = this.#peer.localDescription;
    let answer;
    if (this.#uuid === null) {
      const made = await this.#session.mine('calls', { call_type: 'WEBRTC', sdp, media_type: 'video' });
      this.#uuid = made.call_uuid;
      answer = made.sdp;
    } else {
      const made = await this.#session.mine(`calls/${this.#uuid}/update`, { sdp });
      answer = typeof made === 'string' ? made : made.sdp;
    }
    if (this.#closed) return;
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer });
    for (const candidate of this.#early.splice(0)) this.#trickle(candidate);
    await this.#session.mine(`calls/${this.#uuid}/ack`, {});
  }

  #trickle(candidate) {
    if (this.#uuid === null) {
      this.#early.push(candidate);
      return;
    }
    const body = candidate
      ? { candidate: candidate.candidate, mid: candidate.sdpMid ?? '0', ufrag: candidate.usernameFragment ?? undefined }
      : { candidate: '', mid: '0' };
    this.#session.mine(`calls/${this.#uuid}/new_candidate`, body).catch(() => {});
  }

  async #follow() {
    const { connectionState } = this.#peer;
    this.#tell('state', connectionState);
    if (connectionState === 'connected') this.#restarted = false;
    if (connectionState !== 'failed' || this.#closed) return;
    if (this.#restarted) {
      this.#tell('lost');
      return;
    }
    this.#restarted = true;
    try {
      await this.#negotiate(await this.#peer.createOffer({ iceRestart: true }));
    } catch {
      this.#tell('lost');
    }
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
