// Asks as the web client of 2016 to 2020 asked, on the peer connections of a browser: a call of its own for everything,
// candidates in the offer, session descriptions edited by hand. Written from what was seen of it, nothing of it is here.
import { clearSlides, drawnSlides, framesDecoded, hears, openDevices, picture, videos } from './senses.js';

const log = { errors: [], events: [] };
const note = (name, detail) => log.events.push({ name, detail });
window.addEventListener('unhandledrejection', event => log.errors.push(String(event.reason?.message ?? event.reason)));

let base;
let me;
let token;
const calls = {};

const ask = async (path, { verb = 'POST', headers = {}, body } = {}) => {
    const response = await fetch(base + path, { method: verb, headers: { 'Content-type': 'application/json', token, ...headers }, body });
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()).result;
};

// The address and port of a candidate instead of the dummies, H264 given up but for its traces, a bandwidth.
const edited = (sdp, isSlides) => {
    const candidate = /^a=candidate:\S+ 1 udp \d+ (127\.0\.0\.1|\S+) (\d+) typ host.*$/m.exec(sdp);
    const dead = [...sdp.matchAll(/^a=rtpmap:(\d+) (?:H264|VP9|AV1|H265)\/90000\r\n/gm)];
    let text = sdp.replaceAll(/^c=IN IP4 \S+/gm, `c=IN IP4 ${candidate[1]}`).replaceAll(/^(m=\w+) 9 /gm, `$1 ${candidate[2]} `);
    for (const [line] of dead) text = text.replaceAll(line, '');  // their payload types, a=fmtp and a=rtcp-fb stay
    const [head, ...sections] = text.split(/^(?=m=)/m);
    return head + sections.map(section => {
        if (!section.startsWith('m=video')) return section;
        const bandwidth = section.replace(/^(c=.*\r\n)/m, '$1b=AS:576\r\n').replace(/^(a=rtcp-mux\r\n)/m, '$1a=rtcp-fb:* nack pli\r\n');
        return isSlides ? `${bandwidth}a=content:slides\r\n` : bandwidth;
    }).join('');
};

const connect = async (name, present, prepare) => {
    const peer = new RTCPeerConnection();
    prepare(peer);
    const gathered = new Promise(resolve => { peer.onicecandidate = ({ candidate }) => candidate ?? resolve(); });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered;
    const sdp = edited(peer.localDescription.sdp, present !== undefined);
    const result = await ask(`participants/${me}/calls`, { body: JSON.stringify({ call_type: 'WEBRTC', sdp, present }) });
    await peer.setRemoteDescription({ type: 'answer', sdp: result.sdp.replaceAll(/^(m=video.*\r\nc=.*\r\n)/gm, '$1b=AS:576\r\nb=TIAS:576000\r\n') });
    await ask(`participants/${me}/calls/${result.call_uuid}/ack`);
    calls[name] = { peer, uuid: result.call_uuid };
    return sdp;
};

const EVENTS = ['presentation_start', 'presentation_stop', 'participant_create', 'participant_update', 'participant_delete',
    'participant_sync_begin', 'participant_sync_end', 'message_received', 'call_disconnected', 'disconnect', 'conference_update', 'stage'];

window.endpoint = {
    log, picture, hears, framesDecoded,
    async join({ alias, name, pin }) {
        base = `/api/client/v2/conferences/${encodeURIComponent(alias)}/`;
        const result = await ask('request_token', { headers: { pin: pin ?? 'none' }, body: JSON.stringify({ display_name: name }) });
        token = result.token;
        me = result.participant_uuid;
        await ask('conference_status', { verb: 'GET' });
        const source = new EventSource(`${base}events?token=${token}`);
        for (const event of EVENTS) source.addEventListener(event, ({ data }) => note(event, JSON.parse(data)));
        await new Promise(resolve => { source.onopen = resolve; });
    },
    async call() {
        const stream = await openDevices();
        return connect('main', undefined, peer => {
            stream.getTracks().forEach(track => peer.addTrack(track, stream));
            peer.ontrack = ({ streams }) => { videos.main.srcObject = streams[0]; };
        });
    },
    present: () => connect('slides', 'send', peer => {
        const stream = drawnSlides();
        peer.addTransceiver(stream.getVideoTracks()[0], { direction: 'sendonly', streams: [stream] });
    }),
    receive: () => connect('received', 'receive', peer => {
        peer.addTransceiver('video', { direction: 'recvonly' });
        peer.ontrack = ({ track }) => { videos.slides.srcObject = new MediaStream([track]); };
    }),
    uuidOf: name => calls[name].uuid,
    async hangUp(name) {
        if (name === 'slides') clearSlides();
        calls[name].peer.close();
        return ask(`participants/${me}/calls/${calls[name].uuid}/disconnect`, { body: '{}' });
    },
    leave: () => navigator.sendBeacon(`${base}release_token?token=${token}`, JSON.stringify({ reason: 'User initiated disconnect' })),
};
note('ready');
