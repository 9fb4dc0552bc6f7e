/**
 * Sends a line every 100 ms, to what answers each with the same line, and says of each when it was back. At the end of its standard input
 * it sends no more, waits for the last answer, and says whether all came, in order.
 *
 *     ticker.mjs tcp PORT | udp PORT | run COMMAND…      with `echo COMMAND…`: the other side of `run`
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [kind, ...words] = process.argv.slice(2);
const child = (command) => {
  const made = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  made.on('close', (code) => {
    console.log(`exit ${code}`);
    process.exit(code ?? 1);
  });
  process.on('SIGTERM', () => made.kill());
  console.log(`child ${made.pid}`);
  return made;
};

/** How to send, and how to end; lines come back by `heard`. */
function open(heard) {
  let rest = '';
  const lines = (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    for (const line of parts) heard(Number(line));
  };
  if (kind === 'udp') {
    const socket = createSocket('udp4').on('message', (data) => lines(String(data)));
    return { send: (line) => socket.send(line, Number(words[0]), '127.0.0.1'), end: () => {} };
  }
  if (kind === 'run') {
    const made = child(words);
    made.stdout.setEncoding('utf8').on('data', lines);
    return { send: (line) => made.stdin.write(line), end: () => made.stdin.end() };
  }
  const socket = connect(Number(words[0]), '127.0.0.1').setEncoding('utf8').on('data', lines);
  socket.on('error', (error) => console.log(`broken ${error.code}`));
  return { send: (line) => socket.write(line), end: () => socket.end() };
}

if (kind === 'echo') {
  const made = child(words);
  made.stdout.pipe(made.stdin);
} else {
  const sent = [];
  let next = 0;
  let ordered = true;
  let ending = false;
  const finish = () => {
    if (!ending || (next < sent.length && kind !== 'udp')) return;
    console.log(ordered || kind === 'udp' ? `whole ${sent.length}` : 'not in order');
    clearInterval(timer);
    end();
    if (kind !== 'run') process.exit();
  };
  const { send, end } = open((number) => {
    ordered &&= number === next;
    next = number + 1;
    console.log(`back ${number} ${sent[number]} ${Date.now()}`);
    finish();
  });
  const timer = setInterval(() => {
    if (ending) return;
    sent.push(Date.now());
    send(`${sent.length - 1}\n`);
  }, 100);
  process.stdin.resume().on('end', () => {
    ending = true;
    finish();
  });
}
