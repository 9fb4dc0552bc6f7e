import type { Target } from '../target.ts';
import * as brokers from './brokers.ts';
import * as dtls from './dtls.ts';
import * as httpServers from './http-server.ts';
import * as machines from './machines.ts';
import * as packets from './packets.ts';
import * as portmap from './portmap.ts';
import * as partners from './partner.ts';
import * as rendezvous from './rendezvous.ts';
import * as associations from './sctp.ts';
import * as texts from './text.ts';
import * as turn from './turn.ts';
import * as turnClient from './turn-client.ts';
import * as webrtc from './webrtc.ts';
import * as webrtcPages from './webrtc-page.ts';

export const TARGETS: readonly Target[] = [
  brokers,
  httpServers,
  machines,
  rendezvous,
  partners,
  packets,
  portmap,
  associations,
  dtls,
  texts,
  turn,
  turnClient,
  webrtc,
  webrtcPages,
].flatMap((each) => Object.values(each));
