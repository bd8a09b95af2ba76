/**
 * What a stranger writes who has viem and the ABI, and nothing else of ours:
 * `PRIVATE_KEY=0x… node settle-with-viem.ts <node> <agreement>` settles the newest meter value in the agreement's bundle.
 * Prints the transaction's hash and sender.
 */
import { clearingHouseAbi } from '@liquefy/abi'
import { createWalletClient, type Hex, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

const [url, agreementId] = process.argv.slice(2) as [string, Hex]
const get = async (path: string) => (await fetch(new URL(path, url))).text()
const { rpcUrl, chainId, clearingHouse } = JSON.parse(await get('/v1/deployment'))

const bundle = await get(`/v1/agreements/${agreementId}/bundle`)
const line = bundle.split('\n').findLast((text) => text.startsWith('{"type":"meterValue"'))
if (line === undefined) throw new Error('the machine has signed nothing yet')
const signed = JSON.parse(line)

const wallet = createWalletClient({
  account: privateKeyToAccount(process.env.PRIVATE_KEY as Hex),
  chain: {
    id: chainId,
    name: 'liquefy',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  },
  transport: http(),
}).extend(publicActions)
const hash = await wallet.writeContract({
  address: clearingHouse,
  abi: clearingHouseAbi,
  functionName: 'settle',
  args: [
    [
      {
        agreementId,
        period: signed.period,
        asOf: BigInt(signed.asOf),
        registers: signed.registers.map(BigInt),
        evidenceHead: signed.evidenceHead,
      },
    ],
    [signed.signature],
  ],
})
const { status, from } = await wallet.waitForTransactionReceipt({ hash, pollingInterval: 100 })
console.log(JSON.stringify({ hash, status, from }))
