// Camera and microphone, or one of them, or why neither.

export async function openMedia() {
  if (!navigator.mediaDevices) return { stream: null, why: 'This browser gives no camera and microphone to this page.' };
  const sound = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const picture = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  for (const constraints of [{ audio: sound, video: picture }, { audio: sound }, { video: picture }]) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(constraints), why: '' };
    } catch (error) {
      if (error.name === 'NotAllowedError') {
        return { stream: null, why: 'Camera and microphone are not allowed for this page: allow them in the browser, or watch and listen only.' };
      }
    }
  }
  return { stream: null, why: 'No camera and no microphone can be opened. You can still watch and listen.' };
}
