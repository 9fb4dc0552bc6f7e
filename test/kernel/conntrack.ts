/** The kernel's own forwarding table, as `conntrack -L -o extended` prints it. Pure. */

export interface Row {
  readonly private: string;
  readonly public: string;
  readonly remote: string;
}

interface Tuple {
  readonly from: string;
  readonly to: string;
}

/** One UDP flow: the tuple of its first packet as it came, and the tuple that answers carry as they come. */
export interface Flow {
  readonly original: Tuple;
  readonly reply: Tuple;
  /** Seconds until the kernel forgets it. */
  readonly expires: number;
  /** Nothing came back yet. */
  readonly unreplied: boolean;
  /** A stream, by the kernel's reckoning. */
  readonly assured: boolean;
}

const LINE =
  /^ipv([46])\s+\d+\s+udp\s+17\s+(\d+)\s+src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) (\[UNREPLIED\] )?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(.*)$/;

export function parseConntrack(text: string): Flow[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const match = LINE.exec(line);
      if (!match) throw new Error(`not a UDP flow as conntrack prints it: ${line}`);
      const [, family, expires, src, dst, sport, dport, unreplied, replySrc, replyDst, replySport, replyDport, rest] =
        match;
      const endpoint = (address: string | undefined, port: string | undefined) =>
        family === '6' ? `[${address}]:${port}` : `${address}:${port}`;
      return {
        original: { from: endpoint(src, sport), to: endpoint(dst, dport) },
        reply: { from: endpoint(replySrc, replySport), to: endpoint(replyDst, replyDport) },
        expires: Number(expires),
        unreplied: unreplied !== undefined,
        assured: rest?.includes('[ASSURED]') ?? false,
      };
    });
}

/**
 * A flow as rows of a forwarding table. Begun inside, its source was translated: answers go to the public side. Begun outside, its destination
 * was: answers come from the private side. A hairpin is both at once, so two rows; an untranslated flow is none.
 */
export function translations({ original, reply }: Flow): Row[] {
  const rows: Row[] = [];
  const sourceTranslated = reply.to !== original.from;
  const destinationTranslated = reply.from !== original.to;
  if (sourceTranslated) rows.push({ private: original.from, public: reply.to, remote: original.to });
  if (destinationTranslated)
    rows.push({ private: reply.from, public: original.to, remote: sourceTranslated ? reply.to : original.from });
  return rows;
}

/** In an order of their own, so that two tables with the same rows are equal. */
export const sorted = (rows: readonly Row[]): Row[] =>
  [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
