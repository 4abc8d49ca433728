// How sound and pictures fare: the browser's own figures, once a second while somebody looks.

const EVERY_MS = 1000;
const NAMES = ['Sound', 'Picture', 'Presentation'];

function cell(text, kind = 'td') {
  const made = document.createElement(kind);
  made.textContent = text;
  if (kind === 'th') made.scope = 'row';
  return made;
}

function share(lost, all) {
  return all > 0 ? `${(100 * lost / all).toFixed(1)} %` : '–';
}

/** What one stream did since the last look, in words; null where it has never carried anything. */
function described(stream, before, all) {
  const received = stream.type === 'inbound-rtp';
  const bytes = received ? stream.bytesReceived : stream.bytesSent;
  if (!bytes) return null;
  const seconds = before ? (stream.timestamp - before.timestamp) / 1000 : 0;
  const rate = seconds > 0 ? (bytes - (received ? before.bytesReceived : before.bytesSent)) * 8 / seconds / 1000 : null;
  const remote = received ? null : all.get(stream.remoteId);
  const lost = received ? share(stream.packetsLost, stream.packetsLost + stream.packetsReceived)
    : remote ? share(remote.packetsLost, stream.packetsSent) : '–';
  const jitter = received ? stream.jitter : remote?.jitter;
  const size = stream.frameHeight ? `${stream.frameWidth} × ${stream.frameHeight}, ${Math.round(stream.framesPerSecond ?? 0)}/s` : '–';
  return {
    rate: rate === null ? '–' : rate.toFixed(0),
    lost,
    jitter: jitter === undefined ? '–' : `${(jitter * 1000).toFixed(0)} ms`,
    size,
    codec: all.get(stream.codecId)?.mimeType?.split('/')[1] ?? '–',
  };
}

function pathOf(all) {
  for (const item of all.values()) {
    if (item.type !== 'transport' || !item.selectedCandidatePairId) continue;
    const pair = all.get(item.selectedCandidatePairId);
    const near = all.get(pair?.localCandidateId);
    const far = all.get(pair?.remoteCandidateId);
    const time = pair?.currentRoundTripTime;
    const words = { host: 'direct', srflx: 'through NAT', prflx: 'through NAT', relay: 'by a relay' };
    const way = near?.candidateType === 'relay' || far?.candidateType === 'relay' ? 'relay' : near?.candidateType;
    return `${words[way] ?? 'connected'}, ${(near?.protocol ?? '').toUpperCase()}${time === undefined ? '' : `, ${(time * 1000).toFixed(0)} ms there and back`}`;
  }
  return 'not connected';
}

/** Show figures of the call that `current` returns, as long as the sheet is open. */
export function watchFigures(current) {
  const sheet = document.querySelector('#figures');
  let timer = 0;
  let last = new Map();

  const look = async () => {
    const all = await current()?.statistics();
    if (!all || !sheet.matches(':popover-open')) return;
    document.querySelector('#path').textContent = pathOf(all);
    const rows = [];
    const now = new Map();
    for (const [type, word] of [['inbound-rtp', 'received'], ['outbound-rtp', 'sent']]) {
      const streams = [...all.values()].filter(item => item.type === type);
      for (const stream of streams.sort((a, b) => Number(a.mid ?? 0) - Number(b.mid ?? 0))) {
        now.set(stream.id, stream);
        const figures = described(stream, last.get(stream.id), all);
        if (!figures) continue;
        const row = document.createElement('tr');
        const name = NAMES[Number(stream.mid)] ?? stream.kind;
        row.append(cell(`${name}, ${word}`, 'th'), ...Object.values(figures).map(text => cell(text)));
        rows.push(row);
      }
    }
    last = now;
    document.querySelector('#streams').replaceChildren(...rows);
  };
  sheet.addEventListener('toggle', ({ newState }) => {
    clearInterval(timer);
    if (newState !== 'open') return;
    last = new Map();
    document.querySelector('#figures-heading').focus();
    look();
    timer = setInterval(look, EVERY_MS);
  });
}
