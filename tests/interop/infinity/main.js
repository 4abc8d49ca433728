// Pexip's own client, driven by the interop tests through `window.endpoint`. Everything it reports is kept in `log`.
import { ClientCallType, createCallSignals, createInfinityClient, createInfinityClientSignals, setLogger } from '@pexip/infinity';

const log = { errors: [], events: [] };
const note = (name, detail) => log.events.push({ name, detail });

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
signals.onParticipantJoined.add(detail => note('participant_joined', detail?.participant?.displayName ?? detail?.displayName));
signals.onParticipantLeft.add(detail => note('participant_left', detail?.participant?.displayName ?? detail?.displayName));
signals.onStage.add(detail => note('stage', detail));
signals.onMyselfMuted.add(detail => note('muted', detail));
signals.onRaiseHand.add(detail => note('raise_hand', detail));
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

// Mean colour of what a video element shows now, and its size: [width, height, red, green, blue].
const looksLike = name => {
    const video = videos[name];
    if (!video.videoWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = 32;
    canvas.height = 18;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 32, 18);
    const { data } = context.getImageData(0, 0, 32, 18);
    const sums = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c++) sums[c] += data[i + c];
    return [video.videoWidth, video.videoHeight, ...sums.map(sum => Math.round(sum / (32 * 18)))];
};

let audioMeter;
// Loudest frequency of what is heard, in Hz, and its level.
const hears = () => {
    if (!videos.main.srcObject) return null;
    if (!audioMeter) {
        const context = new AudioContext();
        const analyser = context.createAnalyser();
        analyser.fftSize = 8192;
        context.createMediaStreamSource(videos.main.srcObject).connect(analyser);
        audioMeter = { context, analyser, bins: new Float32Array(analyser.frequencyBinCount) };
    }
    audioMeter.analyser.getFloatFrequencyData(audioMeter.bins);
    let best = 0;
    audioMeter.bins.forEach((value, index) => { if (value > audioMeter.bins[best]) best = index; });
    return { hz: (best * audioMeter.context.sampleRate) / audioMeter.analyser.fftSize, db: audioMeter.bins[best] };
};

window.endpoint = {
    log,
    client,
    looksLike,
    hears,
    async join({ alias, name, pin, media = true }) {
        const mediaStream = media ? await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360, frameRate: 30 } }) : undefined;
        const result = await client.call({
            conferenceAlias: alias,
            displayName: name,
            bandwidth: 0,
            callType: media ? ClientCallType.AudioVideo : ClientCallType.None,
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
