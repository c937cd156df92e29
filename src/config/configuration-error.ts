/** Wrong usage or configuration: one line that names the option, for standard error; the program then exits with 2. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}
