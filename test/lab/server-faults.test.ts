import { describe, expect, it } from 'vitest';
import { describeServerFaults, SERVER_FAULT_KINDS, SERVER_FAULTS } from '../../src/lab/server-faults.ts';

describe('the faults of servers', () => {
  it('are each in the help, with what the server does', () => {
    const help = describeServerFaults().join(' ');
    for (const fault of SERVER_FAULTS) expect(help).toContain(`${fault} (${SERVER_FAULT_KINDS[fault].about})`);
  });

  it('have names of lower case words', () => {
    expect(new Set(SERVER_FAULTS).size).toBe(SERVER_FAULTS.length);
    for (const fault of SERVER_FAULTS) expect(fault).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
  });
});
