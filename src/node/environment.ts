/** Our environment, for processes that we start. */

/** What our own environment may hold that is for us alone: a command's environment can be read by whatever it starts, and is often logged. */
const SECRETS: readonly string[] = [
  'NAT_TOOL_CODE',
  'NAT_TOOL_PASSWORD',
  'NAT_TOOL_PARTNER_SECRET',
  'NAT_TOOL_TURN_SECRET',
];

export const withoutSecrets = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !SECRETS.includes(name.toUpperCase())));
