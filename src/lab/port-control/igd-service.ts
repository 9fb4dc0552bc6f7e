/** A UPnP internet gateway device: it is found by SSDP, describes itself over HTTP and takes calls by SOAP, as miniupnpd does. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { type ByteStream, type Env, ignoreNetError } from '../../net/env.ts';
import { UPNP_ERRORS } from '../../portmap/refusal.ts';
import { decodeCall, encodeFault, encodeResult, type SoapArguments } from '../../portmap/soap.ts';
import { decodeSearch, encodeSsdpAnswer, SSDP_PORT } from '../../portmap/ssdp.ts';
import type { StaticForward } from '../forwards.ts';
import type { PortControlManner } from '../nat-parts.ts';
import { type Decision, decide, hasInternet, type PortControlled } from './ledger.ts';

const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1';
/** miniupnpd's, when it may choose. */
const HTTP_PORT = 5000;

const DESCRIPTION = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>N</friendlyName>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>${SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/ctl/IPConn</controlURL><eventSubURL>/evt/IPConn</eventSubURL><SCPDURL>/WANIPCn.xml</SCPDURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>
`;

const ERRORS: Readonly<Record<Exclude<Decision['kind'], 'granted'>, readonly [number, string]>> = {
  'not-authorized': [UPNP_ERRORS.NOT_AUTHORIZED, 'Action not authorized'],
  'no-resources': [UPNP_ERRORS.NO_PORT_MAPS_AVAILABLE, 'NoPortMapsAvailable'],
  'second-nat': [UPNP_ERRORS.ACTION_FAILED, 'ActionFailed'],
  taken: [UPNP_ERRORS.CONFLICT, 'ConflictInMappingEntry'],
};

type Answer = { readonly values: SoapArguments } | { readonly error: readonly [number, string] };

export async function startIgdService(
  env: Env,
  address: string,
  router: PortControlled,
  manner: PortControlManner,
): Promise<void> {
  const http = { address, port: HTTP_PORT };
  const search = await env.udp.open({ family: 4, port: SSDP_PORT });
  search.listen({
    datagram: ({ data, from }) => {
      const target = decodeSearch(data);
      if (target === undefined || !/:InternetGatewayDevice:1$|^ssdp:all$|^upnp:rootdevice$/.test(target)) return;
      const answer = { location: `http://${formatEndpoint(http)}/rootDesc.xml`, target, server: 'lab UPnP/1.1' };
      search.send(encodeSsdpAnswer(answer), from).catch(ignoreNetError);
    },
  });
  const actions = new Actions(env, router, manner);
  await env.tcp.listen(http, (stream) => void serve(stream, actions).catch(ignoreNetError));
}

/** One request a connection. */
async function serve(stream: ByteStream, actions: Actions): Promise<void> {
  let request = '';
  for await (const chunk of stream) {
    request += Buffer.from(chunk).toString('latin1');
    const head = request.indexOf('\r\n\r\n');
    const length = Number(/^content-length: (\d+)/im.exec(request.slice(0, Math.max(0, head)))?.[1] ?? 0);
    if (head < 0 || request.length < head + 4 + length) continue;
    await stream.write(new TextEncoder().encode(answerTo(request, request.slice(head + 4), stream.remote, actions)));
    break;
  }
  stream.close();
}

function answerTo(request: string, body: string, from: Endpoint, actions: Actions): string {
  if (request.startsWith('GET /rootDesc.xml ')) return page(200, DESCRIPTION);
  const action = /^soapaction: "[^"#]*#(\w+)"/im.exec(request)?.[1];
  const values = action === undefined ? undefined : decodeCall(body, action);
  if (!request.startsWith('POST /ctl/IPConn ') || action === undefined || !values) return page(404, 'Not Found');
  const answer = actions.call(action, values, from);
  return 'error' in answer
    ? page(500, encodeFault(...answer.error))
    : page(200, encodeResult(SERVICE, action, answer.values));
}

const page = (status: number, body: string): string =>
  `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Error'}\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;

class Actions {
  readonly #env: Env;
  readonly #router: PortControlled;
  readonly #manner: PortControlManner;

  constructor(env: Env, router: PortControlled, manner: PortControlManner) {
    this.#env = env;
    this.#router = router;
    this.#manner = manner;
  }

  call(action: string, values: ReadonlyMap<string, string>, from: Endpoint): Answer {
    switch (action) {
      case 'GetExternalIPAddress':
        return { values: { NewExternalIPAddress: this.#shown(from) } };
      case 'AddPortMapping':
        return this.#add(values, from);
      case 'DeletePortMapping':
        return this.#remove(this.#at(values, from));
      case 'GetSpecificPortMappingEntry':
        return this.#entry(this.#at(values, from), UPNP_ERRORS.NO_SUCH_ENTRY, false);
      case 'GetGenericPortMappingEntry': {
        const index = Number(values.get('NewPortMappingIndex'));
        return this.#entry(this.#router.forwards.all(this.#now)[index], UPNP_ERRORS.INDEX_INVALID, true);
      }
      default:
        return { error: [UPNP_ERRORS.INVALID_ACTION, 'Invalid Action'] };
    }
  }

  get #now(): number {
    return this.#env.clock.now();
  }

  /** miniupnpd leaves out an address that is not public. */
  #shown(from: Endpoint): string {
    const outside = this.#router.outsideOf(from.address) ?? '';
    return this.#manner === 'naive' || (outside !== '' && hasInternet(outside)) ? outside : '';
  }

  #at(values: ReadonlyMap<string, string>, from: Endpoint): StaticForward | undefined {
    const transport = values.get('NewProtocol') === 'TCP' ? 'tcp' : 'udp';
    const address = this.#router.outsideOf(from.address) ?? from.address;
    return this.#router.forwards.at(transport, { address, port: Number(values.get('NewExternalPort')) }, this.#now);
  }

  #add(values: ReadonlyMap<string, string>, from: Endpoint): Answer {
    const lifetimeS = Number(values.get('NewLeaseDuration'));
    if (this.#manner === 'permanent' && lifetimeS !== 0)
      return { error: [UPNP_ERRORS.ONLY_PERMANENT_LEASES, 'OnlyPermanentLeasesSupported'] };
    // In miniupnpd's secure mode nobody opens a port for another host.
    if (values.get('NewInternalClient') !== from.address) return { error: ERRORS['not-authorized'] };
    const decision = decide(
      this.#router,
      this.#manner,
      {
        transport: values.get('NewProtocol') === 'TCP' ? 'tcp' : 'udp',
        from: { address: from.address, port: Number(values.get('NewInternalPort')) },
        externalPort: Number(values.get('NewExternalPort')),
        lifetimeS,
        description: values.get('NewPortMappingDescription') ?? '',
      },
      { now: this.#now, exact: true },
    );
    return decision.kind === 'granted' ? { values: {} } : { error: ERRORS[decision.kind] };
  }

  #remove(forward: StaticForward | undefined): Answer {
    if (!forward) return { error: [UPNP_ERRORS.NO_SUCH_ENTRY, 'NoSuchEntryInArray'] };
    this.#router.forwards.remove(forward);
    return { values: {} };
  }

  #entry(forward: StaticForward | undefined, missing: number, whole: boolean): Answer {
    if (!forward) return { error: [missing, 'NoSuchEntryInArray'] };
    const { transport, private: inside, until, description } = forward;
    const left = until === Number.POSITIVE_INFINITY ? 0 : Math.ceil((until - this.#now) / 1000);
    return {
      values: {
        ...(whole && {
          NewRemoteHost: '',
          NewExternalPort: forward.public.port,
          NewProtocol: transport.toUpperCase(),
        }),
        NewInternalPort: inside.port,
        NewInternalClient: inside.address,
        NewEnabled: 1,
        NewPortMappingDescription: description,
        NewLeaseDuration: left,
      },
    };
  }
}
