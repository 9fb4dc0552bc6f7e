/** `webrtc CODE`: the other side is another terminal. The same stack on both, so that the browser is out of the question. */
import { CodeError, parseCode } from '../../connect/code.ts';
import { within } from '../../net/wait.ts';
import { checkPeer, type CheckResult } from '../../probe/webrtc/check.ts';
import { Conversation } from '../../probe/webrtc/conversation.ts';
import { Facts } from '../../probe/webrtc/facts.ts';
import { Introduction } from '../../probe/webrtc/introduction.ts';
import { type ChannelResult, measureChannel } from '../../probe/webrtc/measure.ts';
import { respond } from '../../probe/webrtc/responder.ts';
import { finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import { WebrtcPeer } from '../../webrtc/peer.ts';
import { meetingPlace } from '../connect/meeting-place.ts';
import { type Context, UsageError } from '../command.ts';
import { type Concluded, conclude } from './conclude.ts';
import { type Ground, inform, prepare, relayFor } from './ground.ts';
import { isOfPlace, nowhere } from './nowhere.ts';
import type { Args } from './options.ts';
import type { WebrtcData } from './report.ts';

const TIMEOUTS = { pairMs: 20_000, dtlsMs: 8_000, sctpMs: 8_000 } as const;
const GATHER_MS = 1_500;
/** From the meeting to the other side's description: it gathers as long as we do, and words travel. */
const DESCRIBE_MS = 10_000;

export async function withTerminal(args: Args, text: string, context: Context): Promise<Report<WebrtcData>> {
  const { env, signal, progress } = context;
  const { clock } = env;
  const close = startReport(clock, 'nat-tool/webrtc@1');
  const code = codeOf(text);
  if (args.camera !== undefined) throw new UsageError('--camera is for browsers: a terminal has none');
  const ofPage = (['listen', 'cert', 'key', 'qr', 'open'] as const).find((name) => args[name]);
  if (ofPage) throw new UsageError(`--${ofPage} is for the page, and with CODE there is none`);
  const result: CheckResult = { cause: null, channel: null, whole: false };
  let ground: Ground | undefined;
  let introduction: Introduction | undefined;
  let peer: WebrtcPeer | undefined;
  let facts: Facts | undefined;
  const done = (): Concluded => conclude({ peer: 'terminal', stack: peer, facts, result, ground, args, env });
  try {
    progress('looking for the place to meet');
    const { server } = args;
    if (server instanceof URL)
      throw new UsageError('--server: with CODE the two meet at a host, not at a page', 'Write HOST[:PORT].');
    const place = await meetingPlace({ ...args, server, broker: [], via: undefined, cafile: undefined }, context);
    const stun = args.stun.length > 0 || place.stunOnly || !server ? args.stun : [server];
    ground = await prepare({ ...args, stun }, context);
    introduction = await Introduction.begin(
      env,
      {
        code,
        server: place.stunOnly ? undefined : place.endpoints[0],
        brokers: place.brokers?.names ?? [],
        trusted: place.trusted,
        source: args.source,
      },
      signal,
    );
    progress('waiting for the other host');
    const role = await introduction.met(args.timeout, signal);
    if (!role) {
      result.cause = 'no-browser';
      const { data, findings } = done();
      const { trouble } = introduction;
      return close('failed', data, [...findings, ...(trouble === undefined ? [] : [nowhere(trouble, env)])]);
    }
    const heard = (facts = new Facts({
      clock,
      relayOnly: args.relayOnly,
      hasRelay: args.turn !== undefined,
      servers: args.relayOnly ? [] : ground.urls,
    }));
    const stack = (peer = new WebrtcPeer(env, {
      role,
      family: args.family,
      source: args.source,
      relayOnly: args.relayOnly,
      timeouts: TIMEOUTS,
      onEvent: (event) => heard.event(event),
      onCandidate: (candidate) => heard.localCandidate(candidate),
    }));
    let channel: DataChannel | undefined;
    const opening = (opened: DataChannel): void => {
      channel = opened;
      opened.onOpen = () => heard.gate.notify();
      heard.gate.notify();
    };
    stack.onChannel = opening;
    if (role === 'offerer') opening(stack.open('nat-tool'));
    relayFor(ground, args, stack, env);
    progress('gathering candidates');
    await stack.gather({ stun: ground.places, waitMs: GATHER_MS }, signal);
    inform(heard, ground);
    const tell = introduction.tell.bind(introduction);
    if (role === 'offerer') tell(stack.description());
    const sdp = await introduction.described(DESCRIBE_MS, signal);
    if (sdp === undefined) {
      result.cause = 'browser-left';
      const { data, findings } = done();
      return close('failed', data, findings);
    }
    heard.at.offer = clock.now();
    stack.meet(sdp);
    const learn = (text: string): void => {
      for (const line of text.split(/\r?\n/))
        if (line.startsWith('a=candidate:') && heard.remoteCandidate(line)) stack.addCandidate(line);
    };
    learn(sdp);
    introduction.onDescription = learn;
    if (role === 'answerer') tell(stack.description());
    // A relay may come later.
    heard.onLocal = () => tell(stack.description());
    heard.at.answer = clock.now();
    const work = (opened: DataChannel, found: ChannelResult, until: AbortSignal): Promise<void> =>
      role === 'answerer' ? respond(clock, stack, opened, found, until) : measured(opened, found, until);
    const measured = async (opened: DataChannel, found: ChannelResult, until: AbortSignal): Promise<void> => {
      const conversation = new Conversation(clock, opened, () => undefined);
      const options = { clock, peer: stack, throughput: !args.noThroughput, onStep: progress };
      await measureChannel(conversation, found, options, until);
      await conversation.ask({ do: 'report', ...found }, PART_MS, until);
    };
    await checkPeer(
      stack,
      heard,
      () => channel,
      result,
      { clock, work, onStep: progress, onLikely: (cause) => progress(`probably: ${cause}; still trying`) },
      signal,
    );
    // Whoever was measured leaves last, so that its last word arrives.
    if (role === 'answerer' && result.whole) await within(clock, PART_MS, stack.ended, signal);
    const { data, findings } = done();
    return close('complete', data, findings);
  } catch (error) {
    if (!signal.aborted && !introduction && isOfPlace(error)) {
      result.cause = 'no-browser';
      return close('failed', done().data, [nowhere(error, env)]);
    }
    if (!signal.aborted) throw error;
    const { data, findings } = done();
    return close('partial', data, [...findings, finding('interrupted')]);
  } finally {
    progress('');
    introduction?.close();
    peer?.close();
    ground?.close();
  }
}

/** For the other side to take the report. */
const PART_MS = 3_000;

function codeOf(text: string): string {
  try {
    return parseCode(text);
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    throw new UsageError(
      `CODE: ${error.message}`,
      'nat-tool connect --generate prints one; both hosts are given the same.',
    );
  }
}
