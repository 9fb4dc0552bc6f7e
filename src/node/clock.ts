import type { Clock } from '../net/env.ts';

/** Node turns a longer delay into 1 ms. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** As `performance.now()`, whose object is made of seven modules of Node's that nothing else here needs. */
function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/**
 * The machine's monotonic clock. A wake never comes early (Node's timers can, by up to 1 ms, being rounded to the loop's
 * time), and comes only after sockets were read: when the process was held up, an answer that already waits in the
 * kernel is heard before the deadline for it fires.
 */
export const nodeClock: Clock = {
  now,
  date: () => new Date(),
  after: (ms, wake) => {
    const due = now() + Math.max(0, ms);
    let immediate: NodeJS.Immediate | undefined;
    let timer: NodeJS.Timeout | undefined;
    const arm = () => {
      const rest = Math.ceil(due - now());
      timer = setTimeout(
        () => {
          immediate = setImmediate(fire);
        },
        Math.min(Math.max(rest, 1), LONGEST_TIMEOUT),
      );
    };
    const fire = () => (now() < due ? arm() : wake());
    if (ms > 0) arm();
    else immediate = setImmediate(fire);
    return () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
  },
};
