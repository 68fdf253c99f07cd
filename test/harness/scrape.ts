/** What a process exports for Prometheus, as samples, and as the series of a test of rules. */

export interface Sample {
  name: string;
  /** As written, in braces; empty without any. */
  labels: string;
  value: number;
  /** Of the metric that it belongs to. */
  type: string;
}

export interface Scrape {
  text: string;
  samples: Sample[];
}

export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return { text, samples: readSamples(text) };
}

const LINE = /^([a-zA-Z_:][\w:]*)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? (\S+)$/;

export function readSamples(text: string): Sample[] {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const typed = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (typed) types.set(typed[1]!, typed[2]!);
    if (line === '' || line.startsWith('#')) continue;
    const parts = LINE.exec(line);
    if (!parts) throw new Error(`This is no sample: ${line}`);
    const [, name = '', labels = '', value = ''] = parts;
    const family = types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '');
    samples.push({
      name,
      labels,
      value: Number(value.replace('Inf', 'Infinity')),
      type: types.get(family) ?? '',
    });
  }
  return samples;
}

export interface InputSeries {
  series: string;
  values: string;
}

/** Minutes that the first and the second scrape stand for. */
export const BEFORE_MINUTES = 60;
export const AFTER_MINUTES = 10;

/**
 * Two scrapes of one target as Prometheus would have stored them, with a sample a minute: gauges as in the second, what
 * rises as in the first and then the second. What is only in the second began then if it rises, and else was there.
 */
export function inputSeries(job: string, before: Scrape, after: Scrape): InputSeries[] {
  const key = ({ name, labels }: Sample) => name + labels;
  const earlier = new Map(before.samples.map((sample) => [key(sample), sample.value]));
  const target = { job, instance: `${job}:1` };
  const up: InputSeries = {
    series: `up{job="${target.job}",instance="${target.instance}"}`,
    values: `1+0x${BEFORE_MINUTES + AFTER_MINUTES}`,
  };
  return [
    up,
    ...after.samples.map((sample) => {
      const { labels, name, value, type } = sample;
      const inner = labels === '' ? '' : `${labels.slice(1, -1)},`;
      const series = `${name}{${inner}job="${target.job}",instance="${target.instance}"}`;
      if (type === 'gauge') return { series, values: `${text(value)}+0x${BEFORE_MINUTES + AFTER_MINUTES}` };
      const first = earlier.get(key(sample));
      const start = first === undefined ? `_x${BEFORE_MINUTES}` : `${text(first)}+0x${BEFORE_MINUTES - 1}`;
      return { series, values: `${start} ${text(value)}+0x${AFTER_MINUTES}` };
    }),
  ];
}

/** As promtool's notation takes numbers. */
function text(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  return value.toString();
}
