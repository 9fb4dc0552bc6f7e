import { describe, expect, it } from 'vitest';
import { conflaters, type Sighting, waverers } from '../../src/nat/evidence.ts';

const at = (address: string, port: number) => ({ address, port });
const sighting = (server: string, remotePort: number, mappedPort: number, localPort = 42_301): Sighting => ({
  server,
  local: at('192.168.1.3', localPort),
  remote: at('40.30.20.10', remotePort),
  mapped: at('12.13.14.15', mappedPort),
});

describe('a server that contradicts itself', () => {
  it('names two public sides of one flow', () => {
    expect([...waverers([sighting('a', 3478, 1), sighting('b', 3478, 1), sighting('a', 3478, 2)])]).toEqual(['a']);
  });

  it.each([
    ['flows to two of its ports', [sighting('a', 3478, 1), sighting('a', 3479, 2)]],
    ['flows from two sockets', [sighting('a', 3478, 1), sighting('a', 3478, 2, 42_302)]],
    ['the same again', [sighting('a', 3478, 1), sighting('a', 3478, 1)]],
    ['two servers of one address', [sighting('a', 3478, 1), sighting('b', 3478, 2)]],
  ])('is not who tells of %s', (_, sightings) => expect(waverers(sightings).size).toBe(0));
});

describe('a server that takes two sockets for one', () => {
  it('names one public side for both', () => {
    const two = [sighting('a', 3478, 1), sighting('a', 3478, 1, 42_302)];
    expect([...conflaters([...two, sighting('b', 3478, 1)])]).toEqual(['a']);
  });

  it.each([
    ['one socket twice', [sighting('a', 3478, 1), sighting('a', 3478, 1)]],
    ['two sockets at two endpoints', [sighting('a', 3478, 1), sighting('a', 3479, 1, 42_302)]],
    ['two sockets with two public sides', [sighting('a', 3478, 1), sighting('a', 3478, 2, 42_302)]],
  ])('is not who tells of %s', (_, sightings) => expect(conflaters(sightings).size).toBe(0));
});
