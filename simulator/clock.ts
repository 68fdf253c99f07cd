/**
 * The cloud's time.
 *
 * - cloud seconds: seconds of the cloud's own life, the unit of everything it keeps: market, boot, notice, images.
 *   They pass `speed` times as fast as real ones and only while the simulator runs.
 * - anchor: a pair of a cloud second and the wall time it fell on. Each run of the simulator adds one (a paused clock,
 *   one an advance), so that a moment's wall time, once told, is told again after a restart.
 */
export interface Anchor {
  /** Cloud seconds. */
  readonly cloud: number;
  /** Milliseconds since the epoch. */
  readonly wall: number;
}

export interface ClockSettings {
  readonly speed: number;
  /** Time stands still but for `advance`. */
  readonly paused: boolean;
  /** The cloud second at which the last run ended. */
  readonly position: number;
  /** Of the earlier runs, oldest first. */
  readonly anchors: readonly Anchor[];
  /** Milliseconds that pass evenly and don't count a suspended machine. */
  readonly monotonic: () => number;
  /** Milliseconds since the epoch. */
  readonly wall: () => number;
}

export class CloudClock {
  readonly #settings: ClockSettings;
  readonly #started: number;
  #anchors: readonly Anchor[];
  #advanced = 0;

  constructor(settings: ClockSettings) {
    this.#settings = settings;
    this.#started = settings.monotonic();
    this.#anchors = [...settings.anchors, { cloud: settings.position, wall: settings.wall() }];
  }

  get anchors(): readonly Anchor[] {
    return this.#anchors;
  }

  get paused(): boolean {
    return this.#settings.paused;
  }

  get speed(): number {
    return this.#settings.speed;
  }

  /** Cloud seconds. */
  now(): number {
    const { paused, position, monotonic, speed } = this.#settings;
    if (paused) return position + this.#advanced;
    return position + ((monotonic() - this.#started) / 1000) * speed;
  }

  /** Moves a paused clock on by cloud seconds. */
  advance(seconds: number): void {
    this.#advanced += seconds;
    this.#anchors = [...this.#anchors, { cloud: this.now(), wall: this.#settings.wall() }];
  }

  /** The wall time of a cloud second, past or to come. */
  wallAt(cloudSecond: number): Date {
    const anchor = this.#anchors.findLast(({ cloud }) => cloud <= cloudSecond) ?? this.#anchors[0];
    if (anchor === undefined) throw new Error('The clock has no anchor.');
    return new Date(anchor.wall + ((cloudSecond - anchor.cloud) / this.#settings.speed) * 1000);
  }

  /** The cloud second of a wall time, past or to come. */
  cloudAt(wall: Date): number {
    const anchor = this.#anchors.findLast((known) => known.wall <= wall.getTime()) ?? this.#anchors[0];
    if (anchor === undefined) throw new Error('The clock has no anchor.');
    return anchor.cloud + ((wall.getTime() - anchor.wall) / 1000) * this.#settings.speed;
  }

  /** Real milliseconds until a cloud second; Infinity when the clock is paused and it is still to come. */
  millisecondsUntil(cloudSecond: number): number {
    const left = cloudSecond - this.now();
    if (left <= 0) return 0;
    return this.#settings.paused ? Infinity : (left / this.#settings.speed) * 1000;
  }
}
