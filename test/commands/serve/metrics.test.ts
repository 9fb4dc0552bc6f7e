import { describe, expect, it } from 'vitest';
import { LoopDelay } from '../../../src/commands/serve/loop-delay.ts';
import { counter, counters, gauge, metricsText } from '../../../src/commands/serve/metrics.ts';

describe('metrics', () => {
  it('are written as Prometheus reads them', () => {
    expect(
      metricsText([
        counter('requests', 'Requests.', 5),
        counters('drops', 'Dropped.', 'reason', { limited: 1, malformed: 2 }),
        { ...gauge('process_resident_memory_bytes', 'Memory.', 1e6), bare: true },
      ]),
    ).toBe(
      [
        '# HELP nat_tool_requests_total Requests.',
        '# TYPE nat_tool_requests_total counter',
        'nat_tool_requests_total 5',
        '# HELP nat_tool_drops_total Dropped.',
        '# TYPE nat_tool_drops_total counter',
        'nat_tool_drops_total{reason="limited"} 1',
        'nat_tool_drops_total{reason="malformed"} 2',
        '# HELP process_resident_memory_bytes Memory.',
        '# TYPE process_resident_memory_bytes gauge',
        'process_resident_memory_bytes 1000000',
        '',
      ].join('\n'),
    );
  });

  it('tell by how much the event loop is late', () => {
    let now = 0;
    let wake: (() => void) | undefined;
    const clock = {
      now: () => now,
      date: () => new Date(0),
      after: (_: number, then: () => void) => {
        wake = then;
        return () => {
          wake = undefined;
        };
      },
    };
    const delay = new LoopDelay(clock);
    for (const late of [0, 3, 700]) {
      now += 100 + late;
      wake?.();
    }
    const text = metricsText([delay.sample]);
    expect(text).toContain('nat_tool_event_loop_delay_seconds_bucket{le="0.001"} 1\n');
    expect(text).toContain('nat_tool_event_loop_delay_seconds_bucket{le="0.005"} 2\n');
    expect(text).toContain('nat_tool_event_loop_delay_seconds_bucket{le="0.5"} 2\n');
    expect(text).toContain('nat_tool_event_loop_delay_seconds_bucket{le="1"} 3\n');
    expect(text).toContain('nat_tool_event_loop_delay_seconds_bucket{le="+Inf"} 3\n');
    expect(text).toMatch(/nat_tool_event_loop_delay_seconds_sum 0\.703\d*\n/);
    delay.close();
    expect(wake).toBeUndefined();
  });
});
