/** The text format that Prometheus reads (0.0.4), and what it is told of a process. Pure. */
import type { Vitals } from '../command.ts';

export interface Sample {
  /** Without the prefix `nat_tool_`, unless `bare`. */
  readonly name: string;
  /** Its name is one that all programs share. */
  readonly bare?: true;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly values: readonly {
    readonly labels?: Readonly<Record<string, string>>;
    readonly suffix?: string;
    readonly value: number;
  }[];
}

export const counter = (name: string, help: string, value: number): Sample => ({
  name: `${name}_total`,
  type: 'counter',
  help,
  values: [{ value }],
});

export const gauge = (name: string, help: string, value: number): Sample => ({
  name,
  type: 'gauge',
  help,
  values: [{ value }],
});

/** One counter with a value for each word of a label. */
export const counters = (
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): Sample => ({
  name: `${name}_total`,
  type: 'counter',
  help,
  values: Object.entries(values).map(([word, value]) => ({ labels: { [label]: word }, value })),
});

export function metricsText(samples: readonly Sample[]): string {
  const lines = samples.flatMap(({ name, bare, type, help, values }) => {
    const full = bare ? name : `nat_tool_${name}`;
    return [
      `# HELP ${full} ${help}`,
      `# TYPE ${full} ${type}`,
      ...values.map(({ labels = {}, suffix = '', value }) => {
        const pairs = Object.entries(labels).map(([label, word]) => `${label}="${word}"`);
        return `${full}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** Of the process: the names that Prometheus clients share. */
export function vitalSamples({ residentBytes, heapBytes, cpuSeconds, startedAtSeconds, handles }: Vitals): Sample[] {
  const process = (sample: Sample): Sample => ({ ...sample, bare: true });
  return [
    process(gauge('process_resident_memory_bytes', 'Resident memory.', residentBytes)),
    process(gauge('nodejs_heap_size_used_bytes', 'Memory used by JavaScript objects.', heapBytes)),
    process(counter('process_cpu_seconds', 'CPU time, user and system.', cpuSeconds)),
    process(gauge('process_start_time_seconds', 'Start, seconds since 1970.', startedAtSeconds)),
    process(gauge('nodejs_active_resources', 'Sockets, timers and other things that keep the process alive.', handles)),
  ];
}
