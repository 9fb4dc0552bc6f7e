/** The page: connects to the terminal, answers what it measures, shows what it found. */
import { answerOn } from './answers.js';
import { blockElement } from './blocks.js';
import { startCamera, whyNoCamera } from './camera.js';
import { byId, element } from './element.js';
import { pictureOf } from './picture.js';
import { Refused, SealedLine } from './sealed-line.js';
import { Line } from './signalling.js';

const given = JSON.parse(byId('setup').textContent);
const STEPS = [
  ['offer', 'Signalling'],
  ['ice', 'Path'],
  ['dtls', 'Encryption'],
  ['channel', 'Channel'],
  ['measured', 'Measurement'],
];

function status(text, kind) {
  const line = byId('status');
  line.textContent = text;
  line.className = `status ${kind}`;
}

const marks = STEPS.map(([, title]) => element('li', { 'data-state': 'waits' }, title));
byId('steps').append(...marks);

/** Everything before it is done. */
function reached(step, state = 'now') {
  const at = STEPS.findIndex(([name]) => name === step);
  for (const [i, mark] of marks.entries()) {
    mark.dataset.state = i < at ? 'done' : i === at ? state : 'waits';
    if (i === at) mark.setAttribute('aria-current', 'step');
    else mark.removeAttribute('aria-current');
  }
}

let picture;
const narrow = matchMedia('(max-width: 34rem)');
function paint() {
  if (!picture) return;
  const figure = byId('picture');
  figure.querySelector('svg')?.remove();
  figure.prepend(pictureOf(picture, narrow.matches));
  figure.hidden = false;
}
narrow.addEventListener('change', paint);

function showReport(report) {
  status(report.headline, report.good ? 'good' : 'bad');
  for (const [i, mark] of marks.entries()) {
    mark.dataset.state = i < report.done ? 'done' : report.good || i > report.done ? 'waits' : 'failed';
    mark.removeAttribute('aria-current');
  }
  picture = report.picture;
  paint();
  const why = byId('why');
  why.querySelector('ul')?.remove();
  if (report.findings.length > 0) {
    why.append(element('ul', { class: 'findings' }, ...report.findings.map((text) => element('li', {}, text))));
    why.hidden = false;
  }
  const result = byId('result');
  while (result.children.length > 1) result.lastChild.remove();
  result.append(
    ...report.blocks.map(blockElement).filter(Boolean),
    element(
      'details',
      {},
      element('summary', {}, 'Candidates, and what happened when'),
      ...report.details.map(blockElement).filter(Boolean),
    ),
  );
  result.hidden = false;
  document.title = `${report.headline} – nat-tool`;
}

function whyNoWebrtc() {
  if (typeof RTCPeerConnection !== 'function') return 'RTCPeerConnection is missing';
  return undefined;
}

async function main() {
  if (given.web) status('Looking for the terminal …', 'busy');
  // A page that stands elsewhere learns from the terminal what it needs; its code is behind #, and goes to nobody.
  const line = given.web ? await SealedLine.open(location.hash.slice(1)) : new Line();
  const setup = given.web ? await line.setup() : given;
  const why = whyNoWebrtc();
  if (why) return incapable(why, line);
  let connection;
  try {
    connection = new RTCPeerConnection({
      iceServers: setup.iceServers,
      iceTransportPolicy: setup.relayOnly ? 'relay' : 'all',
    });
  } catch (error) {
    return incapable(String(error.message), line);
  }
  let finished = false;
  const channel = connection.createDataChannel('nat-tool');
  channel.onopen = () => reached('measured');
  answerOn(channel, connection);
  connection.onicecandidate = ({ candidate }) =>
    line.tell(
      candidate
        ? { kind: 'candidate', candidate: candidate.candidate, url: candidate.url ?? undefined }
        : { kind: 'candidate', candidate: '' },
    );
  connection.onicecandidateerror = ({ url, errorCode }) =>
    line.tell({ kind: 'error', url: String(url), code: errorCode });
  connection.oniceconnectionstatechange = () => {
    if (connection.iceConnectionState === 'connected') reached('dtls');
  };
  addEventListener('pagehide', () => {
    if (!finished) line.bye();
    connection.close();
  });
  status('Telling the terminal how this browser can be reached …', 'busy');
  reached('offer');
  await connection.setLocalDescription();
  const answer = await line.offer(connection.localDescription.sdp);
  line.events(
    {
      candidate: ({ candidate }) => connection.addIceCandidate({ candidate, sdpMid: '0' }).catch(() => {}),
      progress: ({ text }) => {
        if (!finished) status(`${text} …`, 'busy');
      },
      likely: ({ text }) => {
        if (!finished) status(text, 'warn');
      },
      report: (report) => {
        finished = true;
        showReport(report);
        line.tell({ kind: 'seen' });
      },
      camera: (wanted) => startCamera(connection, wanted, (text) => line.tell({ kind: 'camera', text })),
      end: (_, source) => {
        finished = true;
        source.close();
        connection.close();
      },
      replaced: (_, source) => {
        finished = true;
        source.close();
        connection.close();
        status('The check goes on in another window, where this page was opened again.', 'warn');
      },
    },
    (error) => {
      if (!finished)
        status(
          error instanceof Refused
            ? error.message
            : 'The terminal is gone: nat-tool was stopped, or cannot be reached any more.',
          'bad',
        );
      finished = true;
    },
  );
  await connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
  reached('ice');
  if (setup.camera && whyNoCamera()) {
    byId('camera').hidden = false;
    byId('camera-words').textContent = whyNoCamera();
  }
}

async function incapable(why, line) {
  status(
    `This browser cannot do WebRTC here: ${why}. An extension, a setting or a policy may have switched it off.`,
    'bad',
  );
  reached('offer', 'failed');
  await line.incapable(why);
}

main().catch((error) => {
  if (error instanceof Refused) status(error.message, 'bad');
  else status(`The check could not begin: ${error.message}. Is nat-tool still running?`, 'bad');
});
