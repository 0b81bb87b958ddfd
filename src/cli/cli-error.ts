/** The command line cannot be carried out as it stands; the message says why. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
