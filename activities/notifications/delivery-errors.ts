/** Why a message didn't arrive, named by what happens next. Their texts are shown to whoever has the channel. */

/** Another attempt may work. */
export class TryAgain extends Error {
  override name = 'TryAgain';

  constructor(
    message: string,
    readonly more: {
      responseStatus?: number;
      /** The receiver asked for so long a pause. */
      afterSeconds?: number;
    } = {},
  ) {
    super(message);
  }
}

/** No later attempt can help. */
export class GiveUp extends Error {
  override name = 'GiveUp';

  constructor(
    message: string,
    readonly more: { responseStatus?: number } = {},
  ) {
    super(message);
  }
}
