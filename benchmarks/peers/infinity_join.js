// Pexip's own client, joining again and again: `join` returns the milestones of one join in milliseconds since its call.
import { ClientCallType, createCallSignals, createInfinityClient, createInfinityClientSignals } from '@pexip/infinity';

const video = document.querySelector('video');
const LONGEST_MS = 15000;
let note;

// The client makes its connections itself; this one tells when their states change.
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...how) {
        super(...how);
        this.addEventListener('iceconnectionstatechange', () => {
            if (['connected', 'completed'].includes(this.iceConnectionState)) note('ice');
        });
        this.addEventListener('connectionstatechange', () => {
            if (this.connectionState === 'connected') note('dtls');
        });
    }
};

// The first decoded frame of a track, before it is painted or played; of sound, the first that is not silence, which
// stands for sound while there is none yet.
const watch = async track => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const samples = track.kind === 'audio' ? new Float32Array(value.numberOfFrames) : undefined;
        if (samples) value.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
        value.close();
        if (!samples || samples.some(sample => Math.abs(sample) > 0.001)) {
            note(`decoded_${track.kind}`);
            await reader.cancel();
            return;
        }
    }
};

const REQUESTS = { request_token: 'token', events: 'events', calls: 'answered', ack: 'acked' };
const requests = start => {
    const found = {};
    for (const { name, responseStart, responseEnd } of performance.getEntriesByType('resource')) {
        const step = REQUESTS[name.split('?')[0].split('/').pop()];
        if (step) found[step] = (step === 'events' ? responseStart : responseEnd) - start;
    }
    return found;
};

window.join = async (alias, name) => {
    performance.clearResourceTimings();
    const marks = {};
    const start = performance.now();
    const decoded = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`not decoded in time: ${JSON.stringify(marks)}`)), LONGEST_MS);
        note = step => {
            marks[step] ??= performance.now() - start;
            if (marks.decoded_audio && marks.decoded_video) resolve();
        };
    });
    const signals = createInfinityClientSignals([], { batchScheduleTimeoutMS: 50, batchBufferSize: 10 });
    const callSignals = createCallSignals([]);
    const watched = new Set();
    callSignals.onRemoteStream.add(stream => {
        video.srcObject = stream;
        for (const track of stream.getTracks()) {
            if (!watched.has(track)) watch(track);
            watched.add(track);
        }
    });
    const client = createInfinityClient(signals, callSignals);
    const result = await client.call({
        conferenceAlias: alias,
        displayName: name,
        bandwidth: 0,
        callType: ClientCallType.AudioRecvOnly | ClientCallType.VideoRecvOnly,
    });
    if (result?.status !== 200) throw new Error(`not joined: ${result?.status}`);
    await decoded;
    const found = { ...requests(start), ...marks };
    await client.disconnect({ reason: 'User initiated disconnect' });
    video.srcObject = null;
    return found;
};
