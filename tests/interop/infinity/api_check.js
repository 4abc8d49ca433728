// Asks a node everything that @pexip/infinity-api can ask, whose functions throw when a response is not of their schema.
// Prints a line of JSON for each, { name, as, status } or { name, as, invalid }; `without_schema` where the package has no
// schema for the status. At the end { exported }.
import * as api from '@pexip/infinity-api';

const { NODE_URL: host, OFFER: sdp } = process.env;
const alias = 'meet.alice';
const print = what => console.log(JSON.stringify(what));

const ask = async (as, name, options) => {
    try {
        const response = await api[name]({ host, ...options });
        print({ name, as, status: response.status, result: response.data?.result });
        return response.data?.result;
    } catch (error) {
        const [, status] = /^Unexpected status (\d+)$/.exec(error.message) ?? [];
        if (status) {
            print({ name, as, status: Number(status), without_schema: true });
            return undefined;
        }
        print({ name, as, invalid: `${error.name}: ${JSON.stringify(error.errors ?? error.message)}` });
        return undefined;
    }
};

const join = async (as, conferenceAlias, pin, body = {}) => {
    const fetcher = pin === undefined ? fetch : api.withPin(fetch, pin);
    const whole = { display_name: as, direct_media: true, chosen_idp: 'none', sso_token: 'none', ...body };
    const result = await ask(as, 'requestToken', { fetcher, params: { conferenceAlias }, body: whole });
    return { as, uuid: result?.participant_uuid, fetcher: api.withToken(fetch, result?.token ?? '') };
};

const conference = { conferenceAlias: alias };
const of = (whom, callUuid) => ({ ...conference, participantUuid: whom.uuid, callUuid });

// Refusals of request_token: PIN wanted, PIN wrong, no such alias, extension wanted, extension unknown.
await join('nobody', alias);
await join('wrong', alias, '9');
await join('lost', 'no.such.alias');
await join('caller', 'reception');
await join('caller without aim', 'reception', undefined, { conference_extension: 'no.such.alias' });

const host1 = await join('host', alias, '1234');
const guest = await join('guest', alias, '5678');
const other = await join('other', alias, '1234');

const media = { call_type: 'WEBRTC', sdp, media_type: 'video', fecc_supported: false };
const { call_uuid: call } = await ask('host', 'callsWebrtcParticipant', { fetcher: host1.fetcher, params: of(host1), body: media });
const movement = [{ axis: 'pan', direction: 'left' }];

// name: [parameters, body]; in this order. Who is not Host is refused the same, or not, as each schema has it.
const onConference = {
    conferenceStatus: [], participants: [], availableLayouts: [], layoutSvgs: [], theme: [],
    lock: [], unlock: [], startConference: [], muteguests: [], unmuteguests: [], clearAllBuzz: [],
    setGuestsCanUnmute: [{ setting: true }],
    messageConference: [{ type: 'text/plain', payload: 'hello' }],
    dial: [{ role: 'GUEST', destination: 'bob@example.com', protocol: 'sip' }],
    transformLayout: [{ transforms: { layout: '1:7' } }],
};
const onOther = {
    muteParticipant: [], unmuteParticipant: [], videoMuteParticipant: [], videoUnmuteParticipant: [],
    allowrxpresentationParticipant: [], denyrxpresentationParticipant: [],
    spotlightonParticipant: [], spotlightoffParticipant: [], unlockParticipant: [], clearbuzzParticipant: [],
    dtmfParticipant: [{ digits: '1' }],
    overlaytextParticipant: [{ text: 'a name' }],
    presInMixParticipant: [{ state: true }],
    roleParticipant: [{ role: 'chair' }],
    feccParticipant: [{ action: 'start', movement, timeout: 1000, target: other.uuid }],
    messageParticipant: [{ type: 'text/plain', payload: 'hello' }],
    avatarJpgParticipant: [],
};
const onSelf = {
    clientMuteParticipant: [], clientUnmuteParticipant: [], videoMuteParticipant: [], videoUnmuteParticipant: [],
    muteParticipant: [], unmuteParticipant: [], buzzParticipant: [], clearbuzzParticipant: [], takeFloor: [], releaseFloor: [],
    notifyNotAFK: [], preferredAspectRatio: [{ aspect_ratio: 1.5 }],
};
const onCall = {
    newCandidate: [{ candidate: '', mid: '0', ufrag: 'x' }], ack: [{}], update: [{ sdp, fecc_supported: false }],
    dtmf: [{ digits: '1' }], statistics: [{ audio: { rx_bitrate: 1 } }],
    fecc: [{ action: 'stop', movement, target: other.uuid }], disconnectCall: [],
};
const askAll = async (who, table, params) => {
    for (const [name, [body]] of Object.entries(table)) await ask(who.as, name, { fetcher: who.fetcher, params, body });
};

for (const who of [host1, guest]) {
    await askAll(who, onConference, conference);
    await askAll(who, onOther, of(other));
    await askAll(who, onSelf, of(who));
}
await askAll(host1, onCall, of(host1, call));

const stranger = { as: 'stranger', uuid: host1.uuid, fetcher: api.withToken(fetch, 'no token of anybody') };
await askAll(stranger, onConference, conference);
await askAll(stranger, onSelf, of(stranger));

await ask('host', 'transferParticipant', { fetcher: host1.fetcher, params: of(other), body: { conference_alias: alias, role: 'guest', pin: '5678' } });
await ask('guest', 'disconnectParticipant', { fetcher: guest.fetcher, params: of(host1) });
await ask('host', 'disconnectParticipant', { fetcher: host1.fetcher, params: of(guest) });
const { token } = (await ask('host', 'refreshToken', { fetcher: host1.fetcher, params: conference })) ?? {};
const fresh = api.withToken(fetch, token ?? '');
await ask('stranger', 'refreshToken', { fetcher: stranger.fetcher, params: conference });
const another = await join('another', alias, '1234');
await ask('another', 'releaseToken', { fetcher: another.fetcher, params: conference, body: { reason: 'User initiated disconnect' } });
await ask('host', 'disconnect', { fetcher: fresh, params: conference });
print({ exported: Object.keys(api) });
