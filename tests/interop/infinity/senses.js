// What a page of the interop tests sends, and what it sees and hears in its two video elements.
export const videos = { main: document.querySelector('#main'), slides: document.querySelector('#slides') };

// A browser takes a tone for noise and would remove it.
const RAW_SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
export const openDevices = () => navigator.mediaDevices.getUserMedia({ audio: RAW_SOUND, video: true });

let slidesTimer;
export const clearSlides = () => clearInterval(slidesTimer);
// Slides of 1280x720: green, with a number that changes.
export const drawnSlides = () => {
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
export const picture = name => {
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
export const hears = (...frequencies) => {
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

export const framesDecoded = name => videos[name].getVideoPlaybackQuality().totalVideoFrames;
