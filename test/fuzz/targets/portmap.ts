/** What a router, or somebody in its place, answers: PCP, NAT-PMP, SSDP, a description in XML, SOAP. */
import { servicesIn } from '../../../src/portmap/igd-description.ts';
import {
  decodeNatPmpRequest,
  decodeNatPmpResponse,
  encodeNatPmpRequest,
  encodeNatPmpResponse,
} from '../../../src/portmap/nat-pmp.ts';
import {
  decodePcpRequest,
  decodePcpResponse,
  encodePcpRequest,
  encodePcpResponse,
  type PcpMap,
} from '../../../src/portmap/pcp.ts';
import { decodeAnswer, encodeFault, encodeResult } from '../../../src/portmap/soap.ts';
import { decodeSearch, decodeSsdpAnswer, encodeSearch, encodeSsdpAnswer } from '../../../src/portmap/ssdp.ts';
import { XmlError } from '../../../src/portmap/xml.ts';
import { demand, type Target, takes, text } from '../target.ts';

const MAP: PcpMap = {
  nonce: Uint8Array.from({ length: 12 }, (_, i) => i),
  transport: 'udp',
  internalPort: 12_001,
  externalPort: 12_002,
  externalAddress: '12.13.14.15',
};

export const pcp: Target = {
  name: 'pcp',
  seeds: [
    encodePcpResponse({ opcode: 0, result: 0, lifetimeS: 0, epoch: 9 }),
    encodePcpResponse({ opcode: 1, result: 0, lifetimeS: 7200, epoch: 9, map: MAP }),
    encodePcpResponse({
      opcode: 1,
      result: 8,
      lifetimeS: 30,
      epoch: 9,
      map: { ...MAP, externalAddress: '2001:db8::1' },
    }),
    encodePcpRequest({ opcode: 1, lifetimeS: 60, client: '192.168.1.3', map: { ...MAP, transport: 'tcp' } }),
    encodePcpRequest({
      opcode: 2,
      lifetimeS: 60,
      client: '192.168.1.3',
      map: MAP,
      remote: { address: '50.60.70.80', port: 9 },
    }),
  ],
  run: (input) => {
    const response = decodePcpResponse(input);
    const request = decodePcpRequest(input);
    demand(response === undefined || request === undefined, 'not both at once');
    if (request && input.length <= 80) {
      const again = decodePcpRequest(encodePcpRequest(request));
      demand(again?.client === request.client && again.lifetimeS === request.lifetimeS, 'what was read can be said');
    }
    return response !== undefined || request !== undefined;
  },
};

const PMP = { transport: 'udp', internalPort: 12_001, externalPort: 12_002, lifetimeS: 7200 } as const;

export const natPmp: Target = {
  name: 'nat-pmp',
  seeds: [
    encodeNatPmpResponse({ to: 'address', result: 0, epoch: 9, address: '12.13.14.15' }),
    encodeNatPmpResponse({ to: 'udp', result: 0, epoch: 9, map: PMP }),
    encodeNatPmpResponse({ to: 'tcp', result: 2, epoch: 9 }),
    encodeNatPmpRequest({}),
    encodeNatPmpRequest({ map: PMP }),
  ],
  run: (input) => {
    const response = decodeNatPmpResponse(input);
    demand(response?.map === undefined || response.result === 0, 'a mapping only in a success');
    return response !== undefined || decodeNatPmpRequest(input) !== undefined;
  },
};

export const ssdp: Target = {
  name: 'ssdp',
  seeds: [
    encodeSsdpAnswer({ location: 'http://192.168.1.1:5000/rootDesc.xml', target: 'upnp:rootdevice', server: 'x' }),
    encodeSearch('ssdp:all', '239.255.255.250', true),
  ],
  words: ['LOCATION:', '\r\n', 'HTTP/1.1 200', ':', ' '],
  run: (input) => {
    const answer = decodeSsdpAnswer(input);
    demand(answer === undefined || answer.location !== '', 'a place');
    return answer !== undefined || decodeSearch(input) !== undefined;
  },
  large: (size) => [
    text(`HTTP/1.1 200 OK\r\n${'\r\n'.repeat(size / 2)}`),
    text(`HTTP/1.1 200 OK\r\n${'location:\r\n'.repeat(size / 11)}`),
    text(`HTTP/1.1 200 OK\r\nLOCATION: ${' '.repeat(size)}x`),
  ],
};

const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const DESCRIPTION = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>http://192.168.1.1/</URLBase><device a="1"><friendlyName>R&amp;D &#x41;</friendlyName><!-- x --><serviceList><service><serviceType>${SERVICE}</serviceType><controlURL>/ctl</controlURL></service></serviceList><![CDATA[<a>]]></device></root>`;
const PLACE = new URL('http://192.168.1.1:5000/rootDesc.xml');
const latin1 = (input: Uint8Array): string => Buffer.from(input).toString('latin1');

export const description: Target = {
  name: 'igd-description',
  seeds: [text(DESCRIPTION)],
  words: [
    '<service>',
    '</service>',
    '<!DOCTYPE x [<!ENTITY a "b">]>',
    '&a;',
    '&#0;',
    '<',
    '>',
    '"',
    "'",
    '<!--',
    ']]>',
  ],
  run: (input) =>
    takes(() => {
      const services = servicesIn(latin1(input), PLACE);
      demand(services.length <= 4, 'few services');
      demand(
        services.every(({ control }) => control.protocol === 'http:'),
        'http: alone',
      );
    }, XmlError),
  large: (size) => [
    text('<a>'.repeat(size / 3)),
    text('<a><b></a>'.repeat(size / 10)),
    text('<a/>'.repeat(size / 4)),
    text(`<a>${'&amp;'.repeat(size / 5)}`),
    text(`<a>${'&'.repeat(size)}`),
    text(`<a ${'"'.repeat(size)}`),
    text(`<a b='${'x'.repeat(size)}`),
    text('<!-- -->'.repeat(size / 8)),
    text('</a>'.repeat(size / 4)),
    text(`<service><serviceType>${SERVICE}</serviceType><controlURL>/a</controlURL></service>`.repeat(size / 110)),
    text(`<${'a:'.repeat(size / 2)}>`),
  ],
};

export const soap: Target = {
  name: 'soap',
  seeds: [
    text(encodeResult(SERVICE, 'GetExternalIPAddress', { NewExternalIPAddress: '12.13.14.15' })),
    text(encodeFault(718, 'ConflictInMappingEntry')),
  ],
  words: ['<errorCode>', '</s:Body>', '<!DOCTYPE', '&lt;'],
  run: (input) =>
    takes(() => {
      const answer = decodeAnswer(latin1(input), 'GetExternalIPAddress');
      demand(answer.kind === 'done' || answer.code === undefined || answer.code <= 99_999, 'a code of five digits');
    }, XmlError),
};
