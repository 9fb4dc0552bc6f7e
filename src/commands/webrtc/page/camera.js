/** The camera, as the terminal wants it: small frames of grey or colour over a channel that repeats nothing. */
import { byId } from './element.js';

const words = (text) => {
  byId('camera').hidden = false;
  byId('camera-words').textContent = text;
};

/** Why there is no camera here, in plain words; empty where there may be one. */
export function whyNoCamera() {
  if (navigator.mediaDevices?.getUserMedia) return '';
  return isSecureContext
    ? 'This browser has no camera to give: it, or a policy, keeps the camera from pages.'
    : `Browsers give the camera only to pages that come over https, or from this very machine. This page came over ${location.protocol.replace(':', '')} from ${location.hostname}: open the link on the machine where nat-tool runs, or start nat-tool with --cert and --key.`;
}

/** Asks for the camera, and sends until it is stopped. `told`: hears what becomes of it. */
export async function startCamera(connection, wanted, told) {
  const why = whyNoCamera();
  if (why) {
    words(why);
    told(why);
    return;
  }
  words('The browser asks whether the terminal may see the camera.');
  const { width, height, rate } = wanted;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 320 }, frameRate: { ideal: Math.max(rate, 30) } },
    });
  } catch (error) {
    const said =
      error.name === 'NotAllowedError'
        ? 'The camera was refused. Allow it for this page and load it anew.'
        : error.name === 'NotFoundError'
          ? 'This machine has no camera.'
          : `The camera does not start: ${error.message}`;
    words(said);
    told(said);
    return;
  }
  words('The terminal shows what the camera sees. A tab that is hidden sends less: browsers slow it down.');
  const channel = connection.createDataChannel('camera', { ordered: false, maxRetransmits: 0 });
  const video = byId('video');
  video.srcObject = stream;
  await video.play();
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  let size = { width, height, colour: wanted.colour };
  let sequence = 0;
  channel.onmessage = ({ data }) => {
    const { width: w, height: h, colour } = JSON.parse(data);
    if (w > 0 && h > 0 && w <= 400 && h <= 200) size = { width: w, height: h, colour };
  };
  const send = () => {
    const { width: w, height: h, colour } = size;
    const length = 8 + w * h * (colour ? 3 : 1);
    if (channel.readyState !== 'open' || channel.bufferedAmount > 4 * length) return;
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.drawImage(video, 0, 0, w, h);
    const { data } = context.getImageData(0, 0, w, h);
    const frame = new Uint8Array(length);
    const head = new DataView(frame.buffer);
    head.setUint32(0, sequence++);
    head.setUint16(4, w);
    head.setUint8(6, h);
    head.setUint8(7, colour ? 1 : 0);
    for (let from = 0, to = 8; from < data.length; from += 4) {
      if (colour) {
        frame[to++] = data[from];
        frame[to++] = data[from + 1];
        frame[to++] = data[from + 2];
      } else frame[to++] = (54 * data[from] + 183 * data[from + 1] + 19 * data[from + 2]) >> 8;
    }
    channel.send(frame);
  };
  const timer = setInterval(send, 1000 / rate);
  const stop = () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    byId('camera-stop').hidden = true;
    words('The camera is off.');
    if (channel.readyState === 'open') channel.close();
  };
  channel.onclose = stop;
  byId('camera-stop').hidden = false;
  byId('camera-stop').onclick = stop;
}
