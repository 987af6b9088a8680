export { Client, utils } from 'ssh2';
export type { ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
