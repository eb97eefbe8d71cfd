"""Drivers that break the protocol of a cloud's further powers, each in one way."""

from collections.abc import Sequence
from dataclasses import replace

from drivers.powers import (
    BalancerRequest,
    GatewayRequest,
    ObservedBalancer,
    ObservedPublicAddress,
    ObservedSnapshot,
    PublicAddressRequest,
    RuleEntry,
    SnapshotRequest,
)
from drivers.protocol import Capability, SegmentRequest, VolumeRequest
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.counted import CountedMachine
from inventory.domain.ids import ResourceId

NEWEST = 1 << 40


class CopiesOnEveryAsking(SimulatedDriver):
    """Takes a second copy under another name when asked again."""

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        found = self.host.cloud.snapshots.get(request.snapshot_id)
        seen = super().ensure_snapshot(request, fence)
        return replace(seen, size_gib=seen.size_gib + 1) if found else seen


class CopiesOnlyWhatRests(SimulatedDriver):
    """Copies another disk where the one asked for is in use."""

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        seen = super().ensure_snapshot(request, fence)
        is_used = request.volume_id in self.host.machines
        return replace(seen, volume_id=ResourceId("vol_other")) if is_used else seen


class CopiesNothing(SimulatedDriver):
    """Says it has copied a disk that is not there."""

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        if request.volume_id not in self.host.volumes:
            return ObservedSnapshot(snapshot_id=request.snapshot_id, volume_id=request.volume_id, size_gib=0, fence=fence)
        return super().ensure_snapshot(request, fence)


class DeletesDisksWithCopies(SimulatedDriver):
    """Takes the copies along."""

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        snapshots = self.host.cloud.snapshots
        for snapshot_id in [i for i, s in snapshots.items() if s.request.volume_id == volume_id]:
            del snapshots[snapshot_id]
        super().ensure_volume_absent(volume_id, storage_pool, fence)


class RestoresHalf(SimulatedDriver):
    """Makes a disk of a copy that does not fit into it."""

    def ensure_volume_of_snapshot(self, request: VolumeRequest, snapshot_id: ResourceId, fence: int) -> None:
        self.ensure_volume(request, fence)


class RemovesCopiesForAnybody(SimulatedDriver):
    """Looks at no fence of a copy."""

    def ensure_snapshot_absent(self, snapshot_id: ResourceId, fence: int) -> None:
        super().ensure_snapshot_absent(snapshot_id, NEWEST)


class LeadsOnce(SimulatedDriver):
    """Gives an address and never leads it elsewhere."""

    def ensure_public_address(self, request: PublicAddressRequest, fence: int) -> ObservedPublicAddress:
        known = self.host.cloud.addresses.get(request.address_id)
        return super().ensure_public_address(request if known is None else known.request, fence)


class RemovesGatewaysInUse(SimulatedDriver):
    """Takes the addresses along."""

    def ensure_gateway_absent(self, gateway_id: ResourceId, fence: int) -> None:
        self.host.cloud.addresses.clear()
        super().ensure_gateway_absent(gateway_id, fence)


class UsesAnyNetworkOutside(SimulatedDriver):
    """Connects to the network outside there is, whatever was asked for."""

    def ensure_gateway(self, request: GatewayRequest, fence: int) -> None:
        super().ensure_gateway(replace(request, outside="outside"), fence)


class GatewaysForAnybody(SimulatedDriver):
    """Looks at no fence of a gateway."""

    def ensure_gateway(self, request: GatewayRequest, fence: int) -> None:
        super().ensure_gateway(request, NEWEST)


class OnlyAddsRules(SimulatedDriver):
    """Never closes what was open."""

    def ensure_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        known = self.host.cloud.rules.get(segment_id, frozenset())
        super().ensure_rules(segment_id, [*rules, *known], fence)


class ForgetsRules(SimulatedDriver):
    """Loses the rules when the address entries change."""

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        super().ensure_segment(request, fence)
        self.host.cloud.rules.pop(request.segment_id, None)


class RemembersRulesOfNothing(SimulatedDriver):
    """Takes rules of a network that is not there."""

    def ensure_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        if segment_id in self.host.segments:
            super().ensure_rules(segment_id, rules, fence)


class ShowsTheScreenOfAnything(SimulatedDriver):
    """Gives an address that shows nothing."""

    def screen_url(self, instance_id: ResourceId) -> str:
        return f"http://screen.simulated/{instance_id}"


class OnlyAddsListeners(SimulatedDriver):
    """Never closes a port."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = self.host.cloud.balancers.get(request.balancer_id)
        ports = {entry.port for entry in request.listeners}
        old = () if known is None else tuple(entry for entry in known.request.listeners if entry.port not in ports)
        return super().ensure_balancer(replace(request, listeners=request.listeners + old), fence)


class SaysWhatWasAsked(SimulatedDriver):
    """Answers with the wish instead of a look; members of a listener that is there are never changed."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = self.host.cloud.balancers.get(request.balancer_id)
        seen = super().ensure_balancer(request, fence)
        if known is not None:
            self.host.cloud.balancers[request.balancer_id].request = replace(request, listeners=known.request.listeners)
        return seen


class LeavesBalancers(SimulatedDriver):
    """Says it has removed a load balancer."""

    def ensure_balancer_absent(self, balancer_id: ResourceId, fence: int) -> None:
        return


class MovesBalancers(SimulatedDriver):
    """Makes it anew at another address."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = self.host.cloud.balancers.get(request.balancer_id)
        if known is not None and known.request.address != request.address:
            super().ensure_balancer_absent(request.balancer_id, fence)
        return super().ensure_balancer(request, fence)


class BalancesForAnybody(SimulatedDriver):
    """Looks at no fence of a load balancer."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = self.host.cloud.balancers.get(request.balancer_id)
        return super().ensure_balancer(request, max(fence, known.fence if known else fence))


class ShowsTheOldCertificate(SimulatedDriver):
    """Changes a certificate of a listener that is there only in what it says."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = self.host.cloud.balancers.get(request.balancer_id)
        old = {entry.port: entry.tls for entry in known.request.listeners} if known else {}
        seen = super().ensure_balancer(request, fence)
        kept = tuple(replace(entry, tls=old.get(entry.port, entry.tls)) for entry in request.listeners)
        self.host.cloud.balancers[request.balancer_id].request = replace(request, listeners=kept)
        return seen


class BelievesInAnyCertificate(SimulatedDriver):
    """Asks nobody whether a certificate is there."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        known = set(self.host.cloud.certificates)
        self.host.cloud.certificates |= _certificates(request)
        seen = super().ensure_balancer(request, fence)
        self.host.cloud.certificates = known
        return seen


class OverlooksMeddledCertificates(SimulatedDriver):
    """Observes what was last asked for."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        self.asked = request.listeners
        return super().ensure_balancer(request, fence)

    def observe_balancer(self, balancer_id: ResourceId) -> ObservedBalancer | None:
        seen = super().observe_balancer(balancer_id)
        return seen and replace(seen, listeners=self.asked)


class TakesCertificatesAlong(SimulatedDriver):
    """Removes the certificates of a load balancer with it."""

    def ensure_balancer_absent(self, balancer_id: ResourceId, fence: int) -> None:
        known = self.host.cloud.balancers.get(balancer_id)
        self.host.cloud.certificates -= _certificates(known.request) if known else set()
        super().ensure_balancer_absent(balancer_id, fence)


class AsksOnce(SimulatedDriver):
    """Looks for a certificate only when it is shown first."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        shown = self.host.cloud.balancers.get(request.balancer_id)
        known = set(self.host.cloud.certificates)
        self.host.cloud.certificates |= _certificates(shown.request) if shown else set()
        try:
            return super().ensure_balancer(request, fence)
        finally:
            self.host.cloud.certificates = known


class SpeaksTlsUndeclared(SimulatedDriver):
    """Does not say that it can, and does it."""

    def capabilities(self) -> Capability:
        return super().capabilities() & ~Capability.BALANCER_TLS


class RemovesDepartmentsInUse(SimulatedDriver):
    """Asks nobody what is in it."""

    def ensure_department_absent(self, code: str) -> None:
        self.host.cloud.departments.pop(code, None)


class CountsTwice(SimulatedDriver):
    """Counts what was moved or made anew twice over."""

    def counted(self, start_s: int, end_s: int) -> Sequence[CountedMachine]:
        return [*super().counted(start_s, end_s), *super().counted(start_s, end_s)]


def _certificates(request: BalancerRequest) -> set[str]:
    return {name for entry in request.listeners if entry.tls is not None for name in entry.tls.certificates}


BROKEN_CLOUDS: dict[type[SimulatedDriver], str] = {
    CopiesOnEveryAsking: "a_disk_is_copied_once_and_the_copy_goes",
    CopiesOnlyWhatRests: "the_disks_of_a_running_machine_are_copied",
    CopiesNothing: "a_copy_of_a_disk_that_is_not_there_is_transient",
    DeletesDisksWithCopies: "a_disk_with_copies_is_not_deleted",
    RestoresHalf: "a_disk_is_made_of_a_copy",
    RemovesCopiesForAnybody: "a_stale_copy_is_refused",
    LeadsOnce: "an_address_outside_leads_where_it_is_asked_to",
    RemovesGatewaysInUse: "a_gateway_is_not_removed_while_addresses_lead_through_it",
    UsesAnyNetworkOutside: "an_unknown_network_outside_is_refused",
    GatewaysForAnybody: "stale_ways_outside_are_refused",
    OnlyAddsRules: "exactly_the_rules_named_let_traffic_in",
    ForgetsRules: "exactly_the_rules_named_let_traffic_in",
    RemembersRulesOfNothing: "rules_of_a_missing_network_are_transient",
    ShowsTheScreenOfAnything: "the_screen_of_a_running_machine_has_an_address",
    OnlyAddsListeners: "a_load_balancer_has_exactly_what_is_asked_for",
    SaysWhatWasAsked: "a_load_balancer_has_exactly_what_is_asked_for",
    LeavesBalancers: "a_load_balancer_goes_with_all_of_it",
    MovesBalancers: "the_address_of_a_load_balancer_does_not_change",
    ShowsTheOldCertificate: "a_listener_shows_the_certificates_it_is_asked_to",
    BelievesInAnyCertificate: "a_certificate_that_is_not_there_is_refused",
    OverlooksMeddledCertificates: "a_certificate_changed_behind_our_back_is_shown_and_put_right",
    TakesCertificatesAlong: "a_certificate_outlives_its_load_balancer",
    AsksOnce: "a_certificate_that_was_taken_away_is_missed_before_anything_changes",
    SpeaksTlsUndeclared: "tls_is_refused_where_it_is_not_declared",
    RemovesDepartmentsInUse: "a_departments_place_goes_when_it_is_empty",
    CountsTwice: "a_machine_is_counted_from_its_start",
    BalancesForAnybody: "stale_load_balancing_is_refused",
}
