// Pexip's own client, driven by the interop tests through `window.endpoint`. Everything it reports is kept in `log`.
import { ClientCallType, createCallSignals, createInfinityClient, createInfinityClientSignals, setLogger } from '@pexip/infinity';

const log = { errors: [], events: [] };
const note = (name, detail) => log.events.push({ name, detail });
const nameOf = detail => detail?.participant?.displayName;

const keep = level => (meta, message) => {
    if (level === 'error' || level === 'warn') {
        log.errors.push({ level, message: String(message ?? meta), meta: JSON.stringify(meta, Object.getOwnPropertyNames(meta?.error ?? {}))?.slice(0, 500) });
    }
};
setLogger({
    trace: keep('trace'), debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error'), fatal: keep('error'),
    silent: () => undefined, redact: text => text, addRedactPattern: () => undefined,
});
window.addEventListener('error', event => log.errors.push({ level: 'page', message: String(event.message) }));
window.addEventListener('unhandledrejection', event => log.errors.push({ level: 'promise', message: String(event.reason?.message ?? event.reason) }));

const signals = createInfinityClientSignals([], { batchScheduleTimeoutMS: 50, batchBufferSize: 10 });
const callSignals = createCallSignals([]);
const client = createInfinityClient(signals, callSignals);

const videos = { main: document.querySelector('#main'), slides: document.querySelector('#slides') };
signals.onConnected.add(() => note('connected'));
signals.onDisconnected.add(detail => note('disconnected', detail));
signals.onError.add(detail => note('error', detail));
signals.onPinRequired.add(detail => note('pin_required', detail));
signals.onMessage.add(detail => note('message', detail));
const people = new Set();
signals.onParticipantJoined.add(details => details.forEach(detail => people.add(nameOf(detail))));  // these two come in batches
signals.onParticipantLeft.add(details => details.forEach(detail => people.delete(nameOf(detail))));
signals.onParticipants.add(({ participants }) => {
    people.clear();
    participants.forEach(participant => people.add(participant.displayName));
});
signals.onMe.add(({ participant }) => note('me', { raised: participant.raisedHand, presenting: participant.isPresenting }));
signals.onStage.add(detail => note('stage', detail));
signals.onMyselfMuted.add(detail => note('muted', detail));
signals.onRaiseHand.add(detail => note('raise_hand', { name: nameOf(detail), raised: detail.participant.raisedHand }));
callSignals.onCallConnected.add(() => note('call_connected'));
callSignals.onRemoteStream.add(stream => { videos.main.srcObject = stream; });
callSignals.onRemotePresentationStream.add(stream => { videos.slides.srcObject = stream; });
callSignals.onPresentationConnectionChange.add(detail => note('presentation', { send: detail.send, recv: detail.recv }));
callSignals.onReconnecting?.add(() => note('reconnecting'));

let slidesTimer;
const drawnStream = () => {
    const canvas = document.createElement('canvas');
    canvas.width = 1280;
    canvas.height = 720;
    const context = canvas.getContext('2d');
    let count = 0;
    slidesTimer = setInterval(() => {
        context.fillStyle = 'rgb(0, 160, 0)';
        context.fillRect(0, 0, 1280, 720);
        context.fillStyle = 'white';
        context.font = '120px sans-serif';
        context.fillText(`slide ${count++}`, 100, 400);
    }, 100);
    return canvas.captureStream(10);
};

// What a video element shows now, as a PNG in base64; null before the first picture.
const picture = name => {
    const video = videos[name];
    if (!video.videoWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
};

let meter;
// Level of each of these frequencies in what is heard, in decibels below full scale; null before there is anything.
const hears = (...frequencies) => {
    const stream = videos.main.srcObject;
    if (!stream?.getAudioTracks().length) return null;
    if (meter?.stream !== stream) {
        const context = meter?.context ?? new AudioContext();
        const analyser = context.createAnalyser();
        analyser.fftSize = 8192;
        analyser.smoothingTimeConstant = 0;
        context.createMediaStreamSource(stream).connect(analyser);
        meter = { context, analyser, stream, bins: new Float32Array(analyser.frequencyBinCount) };
        context.resume();
    }
    meter.analyser.getFloatFrequencyData(meter.bins);
    const width = meter.context.sampleRate / meter.analyser.fftSize;
    return frequencies.map(hz => Math.max(-200, ...meter.bins.slice(Math.round(hz / width) - 2, Math.round(hz / width) + 3)));
};

// A browser takes a tone for noise and would remove it.
const RAW_SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

window.endpoint = {
    log,
    people,
    client,
    picture,
    hears,
    async join({ alias, name, pin }) {
        const mediaStream = await navigator.mediaDevices.getUserMedia({ audio: RAW_SOUND, video: true });
        const result = await client.call({
            conferenceAlias: alias,
            displayName: name,
            bandwidth: 0,
            callType: ClientCallType.AudioVideoPresentation,
            mediaStream,
            pin,
        });
        return result?.status;
    },
    framesDecoded: name => videos[name].getVideoPlaybackQuality().totalVideoFrames,
    present: () => client.present(drawnStream()),
    stopPresenting: () => { clearInterval(slidesTimer); return client.stopPresenting(); },
};
note('ready');
