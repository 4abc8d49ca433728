"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const total = Math.max(data.duration_s, 0.001);
const byId = (id) => document.getElementById(id);
const make = (tag, text, parent, className) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
};
const clock = (s) => {
  const whole = Math.floor(s);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
};

// One player for sound and picture and one for slides, whatever the files: a day of segments has more than a browser
// has players, and their subtitles would be millions. A file's 0 is where its first stream says.
const files = new Map();
for (const stream of data.streams) {
  const file = files.get(stream.file) || { name: stream.file, start: stream.file_start_s || 0, isSlides: true };
  file.isSlides = file.isSlides && stream.role === "slides";
  files.set(stream.file, file);
}
for (const { name } of data.files) {
  if (!files.has(name)) files.set(name, { name, start: 0, isSlides: false });
}

// Who speaks, and what is written, as subtitles: made here, because a page opened from a disk may load no other file.
// What a cue shows is markup of WebVTT, so names are escaped.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\r?\n+/g, "\n");
const subtitles = [
  { label: "Speakers", mode: "showing", cues: data.speakers.map((one) => [one.start_s, one.end_s, one.name]) },
  {
    label: "Chat",
    mode: "hidden",
    cues: data.chat.map((one) => [one.at_s, one.at_s + 5, `\u2068${one.name}\u2069: ${one.text}`]),
  },
].filter(({ cues }) => cues.length);

const players = [false, true]
  .map((isSlides) => [...files.values()].filter((file) => file.isSlides === isSlides))
  .filter((own) => own.length)
  .map((own) => {
    const video = make("video", "", byId("players"));
    video.controls = true;
    video.preload = "metadata";
    video.files = own.sort((one, other) => one.start - other.start);
    video.subtitles = subtitles.map(({ label, mode, cues }) => {
      const track = video.addTextTrack("subtitles", label);
      track.mode = mode;
      return { track, cues, shown: [] };
    });
    video.addEventListener("ended", () => {
      if (video.number + 1 < own.length) {
        open(video, video.number + 1);
        video.play().catch(() => {});
      }
    });
    return video;
  });
const main = players[0];

const open = (player, number) => {
  const { name, start } = player.files[number];
  const end = number + 1 < player.files.length ? player.files[number + 1].start : Infinity;
  player.number = number;
  player.dataset.start = start;
  player.src = encodeURIComponent(name);
  for (const subtitle of player.subtitles) {
    for (const cue of subtitle.shown) subtitle.track.removeCue(cue);
    subtitle.shown = subtitle.cues
      .filter(([from, until]) => until > start && from < end)
      .map(([from, until, text]) => new VTTCue(Math.max(0, from - start), until - start, escaped(text)));
    for (const cue of subtitle.shown) subtitle.track.addCue(cue);
  }
};
for (const player of players) open(player, 0);
const seek = (s) => {
  for (const player of players) {
    const number = Math.max(0, player.files.filter(({ start }) => start <= s).length - 1);
    if (number !== player.number) open(player, number);
    player.currentTime = Math.max(0, s - player.files[number].start);
  }
  if (main) main.play().catch(() => {});
};

const title = (data.about && (data.about.alias || data.about.title)) || (data.files[0] && data.files[0].name) || "Recording";
document.title = title;
byId("title").textContent = title;
byId("facts").textContent =
  `${data.began_at || "no media"} · ${clock(data.duration_s)} · ended: ${data.ended} · ` +
  `${data.quality.lost_packets} packets lost in ${data.quality.gaps} gaps`;

const markers = [];
const row = (name, stretches, kind) => {
  const line = make("div", "", byId("timeline"), "row");
  make("span", name, line, "name").title = name;
  const bar = make("div", "", line, "bar");
  for (const stretch of stretches) {
    const part = make("button", "", bar, kind);
    part.style.left = `${(100 * stretch.start_s) / total}%`;
    part.style.width = `${(100 * (stretch.end_s - stretch.start_s)) / total}%`;
    part.title = `${name} ${clock(stretch.start_s)}–${clock(stretch.end_s)}`;
    part.addEventListener("click", () => seek(stretch.start_s));
  }
  markers.push(make("span", "", bar, "now"));
};
const grouped = new Map();
for (const speech of data.speakers) {
  if (!grouped.has(speech.participant_uuid)) grouped.set(speech.participant_uuid, []);
  grouped.get(speech.participant_uuid).push(speech);
}
for (const speeches of grouped.values()) row(speeches[0].name, speeches, "speaker");
if (data.presentations.length) row("presentation", data.presentations, "presentation");
if (data.holes.length) row("no media", data.holes, "gap");

// Names stand in a `bdi` each: one that turns the direction of writing turns itself alone.
const entry = (list, at, text, name) => {
  const item = make("li", "", byId(list));
  make("button", clock(at), item).addEventListener("click", () => seek(at));
  if (name !== undefined) make("bdi", name, item);
  make("span", name === undefined ? text : `: ${text}`, item);
};
for (const chapter of data.chapters) entry("chapters", chapter.start_s, chapter.title);
for (const message of data.chat) entry("chat", message.at_s, message.text, message.name);
for (const person of data.people) {
  const item = make("li", "", byId("people"));
  make("bdi", person.name, item);
  make("span", ` (${person.role})`, item);
}

if (main) {
  main.addEventListener("timeupdate", () => {
    const at = main.currentTime + Number(main.dataset.start);
    for (const marker of markers) marker.style.left = `${(100 * at) / total}%`;
  });
}
