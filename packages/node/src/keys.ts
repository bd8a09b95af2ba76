// What the command line does with key files, without the rest of the node.
export {
  encryptKeys,
  type KeyFileHead,
  listKeys,
  readKey,
  readKeyHead,
} from './chain/keys.ts'
export { readSecret } from './secret-setting.ts'
