/** Calls of a UPnP service (UPnP Device Architecture 1.1 §3.1.1, §3.2): SOAP in its smallest form, both directions. Pure. */
import { childText, elementsNamed, escapeXml, parseXml } from './xml.ts';

export type SoapArguments = Readonly<Record<string, string | number>>;

/** What came back: the action's results by name, or the device's error. */
export type SoapAnswer =
  | { readonly kind: 'done'; readonly values: ReadonlyMap<string, string> }
  /** `code`: UPnP's error code; absent where the device failed without one. */
  | { readonly kind: 'fault'; readonly code: number | undefined };

const ENVELOPE = 'http://schemas.xmlsoap.org/soap/envelope/';
const ENCODING = 'http://schemas.xmlsoap.org/soap/encoding/';

const envelope = (body: string): string =>
  `<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="${ENVELOPE}" s:encodingStyle="${ENCODING}"><s:Body>${body}</s:Body></s:Envelope>\r\n`;

const element = (name: string, service: string, values: SoapArguments): string =>
  `<u:${name} xmlns:u="${escapeXml(service)}">${Object.entries(values)
    .map(([key, value]) => `<${key}>${escapeXml(String(value))}</${key}>`)
    .join('')}</u:${name}>`;

export const encodeCall = (service: string, action: string, values: SoapArguments): string =>
  envelope(element(action, service, values));

/** The header SOAPACTION, whose quotes some devices insist on. */
export const soapAction = (service: string, action: string): string => `"${service}#${action}"`;

/** Throws XmlError. */
export function decodeAnswer(text: string, action: string): SoapAnswer {
  const elements = parseXml(text);
  const [answer] = elementsNamed(elements, `${action}Response`);
  if (answer) return { kind: 'done', values: new Map(answer.children.map((each) => [each.name, each.text])) };
  const [error] = elementsNamed(elements, 'UPnPError');
  const code = error && childText(error, 'errorCode');
  return { kind: 'fault', code: code !== undefined && /^\d{1,5}$/.test(code) ? Number(code) : undefined };
}

/** What a device reads: the arguments of the call of that action. Throws XmlError. */
export function decodeCall(text: string, action: string): ReadonlyMap<string, string> | undefined {
  const [call] = elementsNamed(parseXml(text), action);
  return call && new Map(call.children.map((each) => [each.name, each.text]));
}

export const encodeResult = (service: string, action: string, values: SoapArguments): string =>
  envelope(element(`${action}Response`, service, values));

export const encodeFault = (code: number, description: string): string =>
  envelope(
    `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode><errorDescription>${escapeXml(description)}</errorDescription></UPnPError></detail></s:Fault>`,
  );
