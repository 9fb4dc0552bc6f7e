/** What an internet gateway device says of itself: which of its services opens ports, and where. Pure. */
import { childText, elementsNamed, parseXml } from './xml.ts';

export interface IgdService {
  /** The type in full, as calls must name it. */
  readonly type: string;
  readonly control: URL;
}

/** The best first: the second version tells conflicts better; a PPP connection is what DSL routers have. */
const SERVICES: readonly (string | undefined)[] = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
];

/** A router with two lines has two of each. */
const MOST_SERVICES = 4;

/**
 * The services that open ports, best first. `location`: where the description was found, against which its URLs stand unless it
 * names another base. What is no http: URL is left out. Throws XmlError.
 */
export function servicesIn(text: string, location: URL): IgdService[] {
  const elements = parseXml(text);
  const named = elementsNamed(elements, 'URLBase')[0]?.text;
  const base = named !== undefined && URL.canParse(named, location.href) ? new URL(named, location) : location;
  const found = elementsNamed(elements, 'service').flatMap((service): IgdService[] => {
    const type = childText(service, 'serviceType');
    const control = childText(service, 'controlURL');
    const rank = SERVICES.indexOf(type as string);
    if (type === undefined || control === undefined || rank < 0 || !URL.canParse(control, base.href)) return [];
    const url = new URL(control, base);
    return url.protocol === 'http:' ? [{ type, control: url }] : [];
  });
  const rankOf = ({ type }: IgdService): number => SERVICES.indexOf(type as string);
  return found.sort((a, b) => rankOf(a) - rankOf(b)).slice(0, MOST_SERVICES);
}
