// A pipe into datagrams on loopback: `nat-tool send` against Debian's nc, with the datagrams that nc makes of a pipe (16 KiB), and with small ones.
// Whole processes, start included; somebody takes the datagrams, so that none comes back refused.
import { bin, here, interleave, median, requireBuilt, round, Skip, timed } from '../measure.mjs';

const [ADDRESS, PORT, BYTES, ROUNDS] = ['127.0.0.1', 34794, 240_000_000, 5];

const pipe = (...argv) => ['sh', '-c', `head -c ${BYTES} /dev/zero | "$0" "$@"`, ...argv];
const own = (size) => pipe(process.execPath, bin, 'send', '--quiet', '--size', String(size), ADDRESS, String(PORT));

export default async function send({ harness }) {
  requireBuilt();
  if (process.platform !== 'linux' || harness.missing(['nc']).length > 0) throw new Skip('needs nc on Linux');
  const sink = harness.start(undefined, [process.execPath, here('servers/sink.mjs'), ADDRESS, String(PORT)], {
    timeoutMs: 300_000,
  });
  try {
    await sink.until(/ready/);
    const once = (argv) => async () => {
      const { ms, code, stderr } = await timed(argv);
      if (code !== 0) throw new Error(`${argv[3]} ended with ${code}: ${stderr}`);
      return ms;
    };
    const times = await interleave(
      { nc: once(pipe('nc', '-u', '-q', '0', ADDRESS, String(PORT))), send: once(own(16_384)), small: once(own(1200)) },
      ROUNDS,
    );
    const ms = Object.fromEntries(Object.entries(times).map(([name, each]) => [name, round(median(each), 0)]));
    const megabytes = (name) => round(BYTES / 1e3 / ms[name], 0);
    return {
      bytes: BYTES,
      nc: { ms: ms.nc, megabytesPerSecond: megabytes('nc') },
      send: { ms: ms.send, megabytesPerSecond: megabytes('send') },
      sendOf1200: {
        ms: ms.small,
        megabytesPerSecond: megabytes('small'),
        datagramsPerSecond: round((BYTES / 1200 / ms.small) * 1000, 0),
      },
      sendToNc: round(ms.nc / ms.send),
    };
  } finally {
    await sink.stop();
  }
}
