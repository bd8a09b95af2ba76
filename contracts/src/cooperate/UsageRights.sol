// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {BoundedCall} from "../transact/BoundedCall.sol";
import {MachineRegistry, State} from "../trust/MachineRegistry.sol";
import {IERC4907} from "./IERC4907.sol";
import {IOperated} from "./IOperated.sol";
import {WeekClock} from "./WeekClock.sol";

/// @notice A right to use a machine: the same hours every week (`bits`), or so many hours a week that are booked later. One slot.
struct Right {
    uint40 machineId;
    uint32 firstWeek;
    uint8 weeksCount;
    /// Zero for a slot.
    uint8 hoursPerWeek;
    /// Zero for a quota.
    uint168 bits;
}

/// @notice What is on sale of a machine's hours, to anybody. One offer a machine.
struct Offer {
    address asset;
    /// Zero: nothing is on sale.
    uint96 pricePerHour;
    /// Hours that can be bought as a slot.
    uint168 openBits;
    /// First week that is not on sale.
    uint32 untilWeek;
    /// Whose offer it is: it ends when the machine changes hands.
    bytes32 tenure;
}

/// @title The hours of machines as tokens: no hour is held twice
/// @notice Rules: docs/protocol/rights.md. A machine's calendar is the wall-clock week of one time zone, one bit an hour. A right is an ERC-721 token
/// whose user (ERC-4907) may be another than its owner. Rights outlive a sale of their machine.
contract UsageRights is ERC721, IERC4907, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Calendar {
        /// First week that no right reaches.
        uint32 endWeek;
        /// Number of rights ever issued.
        uint64 issues;
        string zone;
    }

    /// @dev One slot. Hours held by rights, and how many more their quotas promise: together never more than a week has.
    struct Week {
        uint168 occupied;
        uint8 promised;
    }

    struct User {
        address user;
        uint64 expires;
        uint32 restsUntil;
    }

    /// @notice A right has at most so many weeks, and begins at most so many ahead.
    uint256 public constant MAX_WEEKS = 53;
    uint256 public constant MAX_ZONE_BYTES = 31;
    /// @notice A slot that gave up hours is not moved for so long: a buyer who has seen it whole gets it whole or not at all.
    uint256 public constant REST_SECONDS = 1 hours;
    uint256 private constant OPERATOR_GAS = 50_000;

    MachineRegistry public immutable registry;
    /// @notice Number of rights ever issued, and the newest one's id.
    uint256 public rightCount;
    mapping(uint256 machineId => Calendar) private _calendars;
    mapping(uint256 machineId => mapping(uint256 week => Week)) private _weeks;
    mapping(uint256 machineId => Offer) private _offers;
    mapping(uint256 rightId => Right) private _rights;
    mapping(uint256 rightId => User) private _users;
    /// @dev Of a quota the hours booked, of a slot the hours given up.
    mapping(uint256 rightId => mapping(uint256 week => uint256 bits)) private _changes;

    event ZoneSet(uint256 indexed machineId, string zone);
    /// @notice All zero but the machine: nothing is on sale any more.
    event HoursOffered(
        uint256 indexed machineId, address asset, uint96 pricePerHour, uint168 openBits, uint32 untilWeek
    );
    /// @notice Follows the `Transfer` that mints it.
    event RightIssued(
        uint256 indexed rightId,
        uint256 indexed machineId,
        uint32 firstWeek,
        uint8 weeksCount,
        uint8 hoursPerWeek,
        uint168 bits
    );
    event HoursSold(uint256 indexed rightId, address indexed buyer, address indexed seller, address asset, uint256 amount);
    event HoursBooked(uint256 indexed rightId, uint256 indexed machineId, uint32 week, uint168 bits);
    event HoursCancelled(uint256 indexed rightId, uint256 indexed machineId, uint32 week, uint168 bits);

    error NotIssuer(uint256 machineId, address caller, address owner);
    error MachineGone(uint256 machineId);
    error ZoneMissing(uint256 machineId);
    /// @dev A zone is 1 to 31 of the characters that IANA's names have.
    error ZoneInvalid(string zone);
    /// @dev Rights reach to `endWeek`: their hours would move.
    error ZoneBound(uint256 machineId, uint256 endWeek);
    error WeeksRefused(uint256 firstWeek, uint256 weeksCount, uint256 openWeek, uint256 most);
    error HoursEmpty();
    error HoursInvalid(uint256 bits);
    error HoursOver(uint256 week, uint256 bits);
    /// @dev An hour is given back a day before it begins, or not at all.
    error HoursBegun(uint256 week, uint256 bits);
    error HoursTaken(uint256 machineId, uint256 week, uint256 bits);
    /// @dev Quotas have been promised the hours that are left.
    error HoursPromised(uint256 machineId, uint256 week, uint256 have, uint256 needed);
    error HoursNotHeld(uint256 rightId, uint256 week, uint256 bits);
    error QuotaSpent(uint256 rightId, uint256 week, uint256 have, uint256 needed);
    error RightIsSlot(uint256 rightId);
    error WeekOutside(uint256 rightId, uint256 week);
    error NotHolder(uint256 rightId, address caller, address holder);
    error NotOnSale(uint256 machineId, uint256 bits, uint256 untilWeek);
    error PriceAbove(uint256 have, uint256 most);
    /// @dev The offer is in another token by now than the sender meant to pay with.
    error AssetDiffers(address have, address needed);
    error PaymentDiffers(address asset, uint256 have, uint256 needed);
    error RightRests(uint256 rightId, uint256 until);

    constructor(MachineRegistry registry_) ERC721("Liquefy Usage Right", "HOURS") {
        registry = registry_;
    }

    // --- the machine's side ---------------------------------------------------------------------------------------

    /// @notice Says in which time zone (IANA) the machine's weeks are. For the issuer, while no right reaches the present week.
    function setZone(uint256 machineId, string calldata zone) external {
        _requireIssuer(machineId);
        _requireZone(zone);
        Calendar storage calendar = _calendars[machineId];
        if (calendar.endWeek > WeekClock.openWeek()) revert ZoneBound(machineId, calendar.endWeek);
        calendar.zone = zone;
        emit ZoneSet(machineId, zone);
    }

    /// @notice Puts hours on sale, to anybody; replaces what was on sale. For the issuer; ends when the machine changes hands.
    /// @param pricePerHour in smallest units of `asset`; zero takes everything off sale
    /// @param openBits hours that can be bought as a slot
    /// @param untilWeek first week that is not on sale
    function offer(
        uint256 machineId,
        address asset,
        uint96 pricePerHour,
        uint168 openBits,
        uint32 untilWeek
    ) external {
        _requireIssuer(machineId);
        if (pricePerHour == 0) {
            delete _offers[machineId];
            emit HoursOffered(machineId, address(0), 0, 0, 0);
            return;
        }
        _requireCalendar(machineId);
        _offers[machineId] = Offer(asset, pricePerHour, openBits, untilWeek, registry.tenureOf(machineId));
        emit HoursOffered(machineId, asset, pricePerHour, openBits, untilWeek);
    }

    /// @notice Gives a right away, without a price. For the issuer.
    /// @param bits of a slot; zero for a quota
    /// @param hoursPerWeek of a quota; zero for a slot
    function issue(
        uint256 machineId,
        uint32 firstWeek,
        uint8 weeksCount,
        uint168 bits,
        uint8 hoursPerWeek,
        address to
    ) external nonReentrant returns (uint256 rightId) {
        _requireIssuer(machineId);
        return _issue(_rightOf(machineId, firstWeek, weeksCount, bits, hoursPerWeek), to);
    }

    // --- buyers ---------------------------------------------------------------------------------------------------

    /// @notice Buys the hours `bits` of each week, paid to the machine's owner. The sender has approved it.
    /// @param asset what the sender pays in, whatever the offer says by now
    /// @param maxTotal the sender pays no more, whatever the offer says by now
    function buy(
        uint256 machineId,
        uint32 firstWeek,
        uint8 weeksCount,
        uint168 bits,
        address asset,
        uint256 maxTotal,
        address to
    ) external nonReentrant returns (uint256 rightId) {
        Offer memory terms = _offerFor(machineId, uint256(firstWeek) + weeksCount, asset);
        if (bits & ~terms.openBits != 0) revert NotOnSale(machineId, bits & ~terms.openBits, terms.untilWeek);
        rightId = _issue(_rightOf(machineId, firstWeek, weeksCount, bits, 0), to);
        _pay(rightId, machineId, terms, WeekClock.count(bits) * weeksCount, maxTotal);
    }

    /// @notice Buys so many hours of each week, which are booked later. The sender has approved it.
    function buyHours(
        uint256 machineId,
        uint32 firstWeek,
        uint8 weeksCount,
        uint8 hoursPerWeek,
        address asset,
        uint256 maxTotal,
        address to
    ) external nonReentrant returns (uint256 rightId) {
        Offer memory terms = _offerFor(machineId, uint256(firstWeek) + weeksCount, asset);
        rightId = _issue(_rightOf(machineId, firstWeek, weeksCount, 0, hoursPerWeek), to);
        _pay(rightId, machineId, terms, uint256(hoursPerWeek) * weeksCount, maxTotal);
    }

    // --- holders --------------------------------------------------------------------------------------------------

    /// @notice Books hours of a week by a quota. For its user; for its owner while it has none.
    function book(uint256 rightId, uint32 week, uint168 bits) external nonReentrant {
        Right memory right = _rightIn(rightId, week, bits);
        if (right.hoursPerWeek == 0) revert RightIsSlot(rightId);
        _requireHolder(rightId, userOf(rightId));
        uint256 late = bits & WeekClock.over(week);
        if (late != 0) revert HoursOver(week, late);
        Week storage hoursOfWeek = _weeks[right.machineId][week];
        uint256 taken = bits & hoursOfWeek.occupied;
        if (taken != 0) revert HoursTaken(right.machineId, week, taken);
        uint256 booked = _changes[rightId][week];
        uint256 needed = WeekClock.count(booked | bits);
        if (needed > right.hoursPerWeek) revert QuotaSpent(rightId, week, right.hoursPerWeek, needed);
        _changes[rightId][week] = booked | bits;
        hoursOfWeek.occupied |= bits;
        hoursOfWeek.promised -= uint8(WeekClock.count(bits)); // part of what this quota was promised
        emit HoursBooked(rightId, right.machineId, week, bits);
    }

    /// @notice Gives hours of a week back, a day before they begin. Of a quota they can be booked anew; of a slot they are given up for good, without
    /// a refund. A quota's for its user, or its owner while it has none; a slot's for its owner.
    function cancel(uint256 rightId, uint32 week, uint168 bits) external nonReentrant {
        Right memory right = _rightIn(rightId, week, bits);
        bool isSlot = right.hoursPerWeek == 0;
        _requireHolder(rightId, isSlot ? address(0) : userOf(rightId));
        uint256 late = bits & WeekClock.begun(week);
        if (late != 0) revert HoursBegun(week, late);
        uint256 strange = bits & ~_held(rightId, right, week);
        if (strange != 0) revert HoursNotHeld(rightId, week, strange);
        Week storage hoursOfWeek = _weeks[right.machineId][week];
        _changes[rightId][week] ^= bits;
        hoursOfWeek.occupied ^= bits;
        if (isSlot) _users[rightId].restsUntil = uint32(block.timestamp + REST_SECONDS);
        else hoursOfWeek.promised += uint8(WeekClock.count(bits));
        emit HoursCancelled(rightId, right.machineId, week, bits);
    }

    /// @notice Lends the right until `expires` (seconds), or takes it back. For its owner and whom he approved (ERC-4907). A transfer ends it.
    function setUser(uint256 rightId, address user, uint64 expires) external {
        _checkAuthorized(_requireOwned(rightId), msg.sender, rightId);
        _users[rightId].user = user;
        _users[rightId].expires = expires;
        emit UpdateUser(rightId, user, expires);
    }

    // --- views ----------------------------------------------------------------------------------------------------

    /// @notice Whom it is lent to; zero if to nobody, or no longer.
    function userOf(uint256 rightId) public view returns (address) {
        User memory lent = _users[rightId];
        return lent.expires >= block.timestamp ? lent.user : address(0);
    }

    function userExpires(uint256 rightId) external view returns (uint256) {
        return _users[rightId].expires;
    }

    /// @notice All zero if there is no such right.
    function rightOf(uint256 rightId) external view returns (Right memory) {
        return _rights[rightId];
    }

    /// @notice Hours of the week that the right holds.
    function hoursOf(uint256 rightId, uint256 week) external view returns (uint256 bits) {
        Right memory right = _rights[rightId];
        return _covers(right, week) ? _held(rightId, right, week) : 0;
    }

    /// @notice Hours that rights hold, and how many more are promised to quotas, of `count` weeks.
    function weeksOf(uint256 machineId, uint256 firstWeek, uint256 count) external view returns (Week[] memory list) {
        if (count > MAX_WEEKS) revert WeeksRefused(firstWeek, count, 0, MAX_WEEKS);
        list = new Week[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = _weeks[machineId][firstWeek + i];
        }
    }

    /// @notice The machine's zone, the first week that no right reaches, and how many rights were ever issued: who buys a machine and wants it as he
    /// saw it compares `issues`.
    function calendarOf(uint256 machineId) external view returns (Calendar memory) {
        return _calendars[machineId];
    }

    /// @notice What is on sale; all zero if nothing is, also after the machine has changed hands.
    function offerOf(uint256 machineId) public view returns (Offer memory terms) {
        terms = _offers[machineId];
        if (terms.pricePerHour != 0 && terms.tenure != registry.tenureOf(machineId)) delete terms;
    }

    function supportsInterface(bytes4 id) public view override(ERC721) returns (bool) {
        return id == type(IERC4907).interfaceId || super.supportsInterface(id);
    }

    // --- inside ---------------------------------------------------------------------------------------------------

    function _rightOf(
        uint256 machineId,
        uint32 firstWeek,
        uint8 weeksCount,
        uint168 bits,
        uint8 hoursPerWeek
    ) private view returns (Right memory right) {
        _requireCalendar(machineId);
        uint256 openWeek = WeekClock.openWeek();
        if (
            weeksCount == 0 || weeksCount > MAX_WEEKS || firstWeek < openWeek || firstWeek > openWeek + MAX_WEEKS
        ) revert WeeksRefused(firstWeek, weeksCount, openWeek, MAX_WEEKS);
        if (bits == 0 && hoursPerWeek == 0) revert HoursEmpty();
        // Either a slot or a quota: who wants both has two rights.
        if (bits != 0 && hoursPerWeek != 0) revert HoursInvalid(bits);
        uint256 late = bits & WeekClock.over(firstWeek);
        if (late != 0) revert HoursOver(firstWeek, late);
        return Right(uint40(machineId), firstWeek, weeksCount, hoursPerWeek, bits); // an existing id: it has a zone
    }

    function _issue(Right memory right, address to) private returns (uint256 rightId) {
        uint256 end = uint256(right.firstWeek) + right.weeksCount;
        for (uint256 week = right.firstWeek; week < end; ++week) {
            _take(right, week);
        }
        Calendar storage calendar = _calendars[right.machineId];
        if (end > calendar.endWeek) calendar.endWeek = uint32(end);
        ++calendar.issues;
        rightId = ++rightCount;
        _rights[rightId] = right;
        // Without asking the receiver: no stranger's code runs while hours are handed out.
        _mint(to, rightId);
        emit RightIssued(
            rightId, right.machineId, right.firstWeek, right.weeksCount, right.hoursPerWeek, right.bits
        );
    }

    function _take(Right memory right, uint256 week) private {
        Week memory hoursOfWeek = _weeks[right.machineId][week];
        uint256 taken = right.bits & hoursOfWeek.occupied;
        if (taken != 0) revert HoursTaken(right.machineId, week, taken);
        hoursOfWeek.occupied |= right.bits;
        uint256 promised = uint256(hoursOfWeek.promised) + right.hoursPerWeek;
        uint256 needed = WeekClock.count(hoursOfWeek.occupied) + promised;
        if (needed > WeekClock.HOURS) revert HoursPromised(right.machineId, week, WeekClock.HOURS, needed);
        hoursOfWeek.promised = uint8(promised);
        _weeks[right.machineId][week] = hoursOfWeek;
    }

    function _offerFor(uint256 machineId, uint256 end, address asset) private view returns (Offer memory terms) {
        terms = offerOf(machineId);
        if (terms.pricePerHour == 0 || end > terms.untilWeek) revert NotOnSale(machineId, 0, terms.untilWeek);
        if (asset != terms.asset) revert AssetDiffers(terms.asset, asset);
    }

    function _pay(uint256 rightId, uint256 machineId, Offer memory terms, uint256 hoursCount, uint256 maxTotal) private {
        uint256 total = hoursCount * terms.pricePerHour;
        if (total > maxTotal) revert PriceAbove(total, maxTotal);
        address owner = registry.ownerOf(machineId);
        IERC20 asset = IERC20(terms.asset);
        uint256 before = asset.balanceOf(owner);
        asset.safeTransferFrom(msg.sender, owner, total);
        uint256 received = asset.balanceOf(owner) - before;
        if (received != total) revert PaymentDiffers(terms.asset, received, total);
        emit HoursSold(rightId, msg.sender, owner, terms.asset, total);
    }

    function _rightIn(uint256 rightId, uint256 week, uint256 bits) private view returns (Right memory right) {
        _requireOwned(rightId);
        if (bits == 0) revert HoursEmpty();
        right = _rights[rightId];
        if (!_covers(right, week)) revert WeekOutside(rightId, week);
    }

    function _covers(Right memory right, uint256 week) private pure returns (bool) {
        return week >= right.firstWeek && week < uint256(right.firstWeek) + right.weeksCount;
    }

    function _held(uint256 rightId, Right memory right, uint256 week) private view returns (uint256) {
        uint256 changes = _changes[rightId][week];
        return right.hoursPerWeek == 0 ? right.bits & ~changes : changes;
    }

    /// @param user who holds it now, zero if its owner does
    function _requireHolder(uint256 rightId, address user) private view {
        address holder = user == address(0) ? ownerOf(rightId) : user;
        if (msg.sender != holder) revert NotHolder(rightId, msg.sender, holder);
    }

    /// @dev The owner, or whom an owner that is a contract names as its operator.
    function _requireIssuer(uint256 machineId) private view {
        address owner = registry.ownerOf(machineId);
        if (msg.sender == owner) return;
        if (owner.code.length != 0) {
            (bool ok, uint256 operator) = BoundedCall.word(owner, OPERATOR_GAS, abi.encodeCall(IOperated.operator, ()));
            if (ok && operator == uint160(msg.sender)) return;
        }
        revert NotIssuer(machineId, msg.sender, owner);
    }

    function _requireCalendar(uint256 machineId) private view {
        if (bytes(_calendars[machineId].zone).length == 0) revert ZoneMissing(machineId);
        if (registry.stateOf(machineId) == State.Decommissioned) revert MachineGone(machineId);
    }

    function _requireZone(string calldata zone) private pure {
        bytes calldata text = bytes(zone);
        bool good = text.length != 0 && text.length <= MAX_ZONE_BYTES;
        for (uint256 i = 0; good && i < text.length; ++i) {
            bytes1 c = text[i];
            good = (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9") || c == "/" || c == "_"
                || c == "-" || c == "+";
        }
        if (!good) revert ZoneInvalid(zone);
    }

    /// @dev Every way to move a token comes by here, minting too.
    function _update(address to, uint256 rightId, address auth) internal override returns (address from) {
        from = super._update(to, rightId, auth);
        if (from == address(0)) return from;
        User memory lent = _users[rightId];
        if (block.timestamp < lent.restsUntil) revert RightRests(rightId, lent.restsUntil);
        if (lent.user == address(0)) return from;
        delete _users[rightId];
        emit UpdateUser(rightId, address(0), 0);
    }
}
