/**
 * The cloud's time.
 *
 * - cloud seconds: seconds of the cloud's own life, the unit of everything it keeps: market, boot, notice, images.
 *   They pass `speed` times as fast as real ones and only while the simulator runs.
 * - anchor: a pair of a cloud second and the wall time it fell on. Each run of the simulator adds one, so that a
 *   moment's wall time, once told, is told again after a restart. A paused clock has only the anchor of its last move:
 *   what was an hour of cloud time ago was an hour ago on the wall.
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
    const anchor = { cloud: settings.position, wall: settings.wall() };
    this.#anchors = settings.paused ? [anchor] : [...settings.anchors, anchor];
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
    this.#anchors = [{ cloud: this.now(), wall: this.#settings.wall() }];
  }

  /** The wall time of a cloud second, past or to come. */
  wallAt(cloudSecond: number): Date {
    const [anchor] = this.#around(({ cloud }) => cloud <= cloudSecond);
    return new Date(anchor.wall + ((cloudSecond - anchor.cloud) / this.#settings.speed) * 1000);
  }

  /** The cloud second of a wall time, past or to come. While no simulator ran, none passed. */
  cloudAt(wall: Date): number {
    const [anchor, next] = this.#around((known) => known.wall <= wall.getTime());
    const second = anchor.cloud + ((wall.getTime() - anchor.wall) / 1000) * this.#settings.speed;
    return Math.min(second, next?.cloud ?? Infinity);
  }

  /** The last anchor before something, or else the first, and the one after it. */
  #around(isBefore: (anchor: Anchor) => boolean): readonly [Anchor, Anchor | undefined] {
    const index = Math.max(0, this.#anchors.findLastIndex(isBefore));
    return [this.#anchors[index] as Anchor, this.#anchors[index + 1]];
  }

  /** Real milliseconds until a cloud second; Infinity when the clock is paused and it is still to come. */
  millisecondsUntil(cloudSecond: number): number {
    const left = cloudSecond - this.now();
    if (left <= 0) return 0;
    return this.#settings.paused ? Infinity : (left / this.#settings.speed) * 1000;
  }
}
