import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createPublicClient, http, type PublicClient } from 'viem'
import { expect, test } from 'vitest'
import { startChain } from '../../src/chain/chain.ts'
import { checkDeployment, deployContracts } from '../../src/chain/deploy.ts'
import { parseDeployment } from '../../src/chain/deployment.ts'
import { openKeys } from '../../src/chain/keys.ts'
import { BARE_CHAIN_ID, startBareAnvil, startFaultyProxy } from './bare-anvil.ts'
import { atEnd, chainOf, memoryLogger, newDataDir, systemClock, testDatabase } from './support.ts'

const clientOf = (url: string): PublicClient =>
  createPublicClient({
    chain: chainOf(url, BARE_CHAIN_ID),
    transport: http(url, { retryCount: 0 }),
    cacheTime: 0,
  })

test('a deployment that was cut short goes on where it stopped, and one that is done does nothing', async () => {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const anvil = await startBareAnvil(dataDir, keys)
  let sends = 0
  const proxy = await startFaultyProxy(anvil.url, (method) => {
    if (method !== 'eth_sendRawTransaction') return 'none'
    sends += 1
    return sends > 3 ? 'drop-before' : 'none'
  })
  const options = { deployer: keys.deployer, holders: [keys.operator.address] }
  await expect(deployContracts({ ...options, client: clientOf(proxy.url) })).rejects.toThrow()
  const client = clientOf(anvil.url)
  const nonce = () => client.getTransactionCount({ address: keys.deployer.address })
  expect(await nonce()).toBeLessThan(18)
  const deployment = await deployContracts({ ...options, client })
  expect(await nonce()).toBe(18)
  expect(await deployContracts({ ...options, client })).toEqual(deployment)
  expect(await nonce()).toBe(18)

  await checkDeployment(client, deployment)
  const other = { ...deployment, registry: keys.operator.address }
  await expect(checkDeployment(client, other)).rejects.toThrow(/no contract at .*registry/)
  await expect(checkDeployment(client, { ...deployment, chainId: 1 })).rejects.toThrow(/chain 1,/)
  expect(parseDeployment(JSON.stringify(deployment))).toEqual(deployment)
  const { accounts, cooperation, ...earlier } = deployment
  expect(accounts?.erc6551Registry).toBe('0x000000006551c19487814612e58fe06813775758')
  expect(cooperation?.vaultFactory).toMatch(/^0x/)
  const asBefore = { ...earlier, accounts: undefined, cooperation: undefined }
  expect(parseDeployment(JSON.stringify(earlier))).toEqual(asBefore)
  await checkDeployment(client, asBefore)
  const { registry, ...rest } = deployment
  expect(() => parseDeployment(JSON.stringify(rest))).toThrow(/"registry"/)
  expect(() => parseDeployment(`${registry}`)).toThrow(/no JSON/)
})

const outside = async () => {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const anvil = await startBareAnvil(dataDir, keys)
  const database = await testDatabase(dataDir)
  const logger = memoryLogger()
  const base = { dataDir, database, keys, clock: systemClock, logger, rpcUrl: anvil.url }
  return { ...base, base, client: clientOf(anvil.url), anvil }
}

test('contracts that stand on an outside chain are taken by their deployment file', async () => {
  const { dataDir, base, client, keys } = await outside()
  const deploymentPath = join(dataDir, 'my-deployment.json')
  await expect(startChain({ ...base, deploymentPath })).rejects.toThrow(/no deployment file/)
  const deployment = await deployContracts({ client, deployer: keys.deployer, holders: [] })
  await writeFile(deploymentPath, JSON.stringify(deployment))
  const chain = await startChain({ ...base, deploymentPath })
  atEnd(() => chain.stop())
  expect(chain).toMatchObject({ embedded: false, chainId: BARE_CHAIN_ID, people: [], deployment })
  await chain.follower.synced()
  expect(chain.block().final).toBeLessThan(chain.block().included)
})

test('without a file the operator pays for the contracts; money may be a token that stands there', async () => {
  const { dataDir, base, client, keys, anvil } = await outside()
  const { asset } = await deployContracts({ client, deployer: keys.operator, holders: [] })
  await anvil.rpc.call('anvil_setBalance', [keys.deployer.address, '0x0'])
  const notToken = keys.operator.address
  await expect(startChain({ ...base, asset: notToken })).rejects.toThrow(/LIQUEFY_ASSET/)

  const head = Number(await client.getBlockNumber())
  // What a first try that was cut short leaves behind: it began earlier than this one.
  const begun = JSON.stringify({ chainId: BARE_CHAIN_ID, fromBlock: head - 1 })
  await writeFile(join(dataDir, 'deployment.begun'), begun)
  const chain = await startChain({ ...base, asset: asset.address })
  atEnd(() => chain.stop())
  expect(chain.deployment).toMatchObject({ asset, fromBlock: head - 1 })
  expect(await client.getTransactionCount({ address: keys.deployer.address })).toBe(15)
  const file = await readFile(join(dataDir, 'deployment.json'), 'utf8')
  expect(parseDeployment(file)).toEqual(chain.deployment)
  await expect(access(join(dataDir, 'deployment.begun'))).rejects.toThrow()
})

test('who cannot pay is told whom to fund, and nothing is sent', async () => {
  const { base, client, keys, anvil } = await outside()
  const { operator, deployer } = keys
  for (const { address } of [operator, deployer]) {
    await anvil.rpc.call('anvil_setBalance', [address, '0x1'])
  }
  await expect(startChain(base)).rejects.toMatchObject({
    code: 'GAS_MONEY_MISSING',
    address: operator.address,
  })
  expect(await client.getTransactionCount({ address: operator.address })).toBe(0)
})
