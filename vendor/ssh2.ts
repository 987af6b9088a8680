export { Client, utils } from 'ssh2';
export type {
  ClientChannel,
  ConnectConfig,
  SFTPWrapper,
  FileEntryWithStats,
  Stats,
  ServerHostKeyAlgorithm,
} from 'ssh2';
