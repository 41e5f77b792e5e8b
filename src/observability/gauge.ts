/** What a part counts, for Prometheus: read when somebody asks, so that nothing is kept of what is gone. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface GaugeSource {
  readonly name: string;
  readonly help: string;
  read(): Iterable<Sample>;
}
