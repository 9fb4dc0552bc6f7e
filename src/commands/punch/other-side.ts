/** What whoever sits at the other side must be told. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { Context } from '../command.ts';
import type { Knowledge } from './knowledge.ts';

const hostPort = ({ address, port }: Endpoint): string => `${address} ${port}`;

export function commandsFor(remote: Endpoint, expected: Endpoint): { punch: string; send: string } {
  return {
    punch: `nat-tool punch -p ${remote.port} ${hostPort(expected)}`,
    send: `nat-tool send -p ${remote.port} ${hostPort(expected)}`,
  };
}

export const localPortHint = ({ port }: { readonly port: number }): string =>
  `There, -p is the local port: ${port} unless a NAT on that side changes it.`;

/** Said before the packets go out, for whoever sits at the terminal and must tell the other side. */
export function announce(context: Context, knowledge: Knowledge, remote: Endpoint): void {
  const { expected, assumed, side } = knowledge;
  if (side.verdict.dependent) context.note('this NAT is symmetric: a plain punch cannot be promised');
  if (expected) {
    if (assumed && side.verdict.mapping === 'unknown')
      context.note(`one server alone saw ${formatEndpoint(expected)}; it is assumed for ${formatEndpoint(remote)} too`);
    const { punch: there, send } = commandsFor(remote, expected);
    context.note('the other side: ', there);
    context.note('or, to send:    ', `echo hello | ${send}`);
    context.note(localPortHint(remote));
  } else if (side.verdict.dependent) {
    context.note('the other side, if it accepts packets from any port: ', `nat-tool listen -p ${remote.port}`);
  }
}
