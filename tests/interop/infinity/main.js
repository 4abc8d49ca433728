// Pexip's own client, driven by the interop tests through `window.endpoint`. Everything it reports is kept in `log`.
import { clearSlides, drawnSlides, framesDecoded, hears, openDevices, picture, videos } from './senses.js';
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

signals.onConnected.add(() => note('connected'));
signals.onTokenRefreshed.add(() => note('refreshed'));
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

window.endpoint = {
    log,
    people,
    client,
    picture,
    hears,
    async join({ alias, name, pin }) {
        const mediaStream = await openDevices();
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
    framesDecoded,
    present: () => client.present(drawnSlides()),
    stopPresenting: () => { clearSlides(); return client.stopPresenting(); },
};
note('ready');
