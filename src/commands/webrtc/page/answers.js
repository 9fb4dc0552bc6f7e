/** Answers what the terminal asks over the channel: echoes, counts, and bytes by the second. */
const CHUNK = new Uint8Array(16_384);
const [MOST_BUFFERED, RESUME_AT] = [1 << 20, 1 << 18];
const MOST_LOAD_MS = 5000;

export function answerOn(channel, connection) {
  let taken = { bytes: 0, first: 0, last: 0 };
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = RESUME_AT;
  channel.onmessage = async ({ data }) => {
    if (typeof data !== 'string') {
      const now = performance.now();
      if (taken.bytes === 0) taken.first = now;
      taken.bytes += data.byteLength;
      taken.last = now;
      return;
    }
    const { n, ...question } = JSON.parse(data);
    const answer = await answerTo(question);
    if (answer && channel.readyState === 'open') channel.send(JSON.stringify({ ...answer, re: n }));
  };
  const answerTo = async (question) => {
    switch (question.do) {
      case 'echo':
        return {};
      case 'count':
        return { requests: await requestsOf(connection) };
      case 'take':
        taken = { bytes: 0, first: 0, last: 0 };
        return {};
      case 'took':
        return { bytes: taken.bytes, ms: taken.last - taken.first };
      case 'give':
        return { bytes: await pour(channel, Math.min(MOST_LOAD_MS, Number(question.ms) || 0)) };
      default:
        return undefined;
    }
  };
}

/** Binding requests that came in, on whichever pair. */
async function requestsOf(connection) {
  let requests = 0;
  for (const stat of (await connection.getStats()).values())
    if (stat.type === 'candidate-pair') requests += stat.requestsReceived ?? 0;
  return requests;
}

async function pour(channel, ms) {
  const until = performance.now() + ms;
  let bytes = 0;
  while (performance.now() < until && channel.readyState === 'open') {
    if (channel.bufferedAmount > MOST_BUFFERED) {
      await new Promise((resolve) => {
        channel.onbufferedamountlow = resolve;
        setTimeout(resolve, Math.max(0, until - performance.now()));
      });
      continue;
    }
    channel.send(CHUNK);
    bytes += CHUNK.length;
  }
  return bytes;
}
